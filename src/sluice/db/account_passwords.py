"""The passwords of a database account, as MariaDB's `IDENTIFIED` clause.

A statement has only the hash of a password, so no statement, log or error message can contain a password.
"""

import hashlib
import re

_METHOD = r"mysql_native_password USING '\*[0-9A-F]{40}'"
_TWO_PASSWORDS = re.compile(rf"IDENTIFIED VIA {_METHOD} OR {_METHOD}(?= |$)")


def build_password_clause(*passwords: str) -> str:
    """The clause of an account that accepts any of the passwords, exactly as the server prints it."""
    hashes = list(dict.fromkeys(_hash_password(password) for password in passwords))
    if len(hashes) == 1:
        return f"IDENTIFIED BY PASSWORD '{hashes[0]}'"
    return "IDENTIFIED VIA " + " OR ".join(f"mysql_native_password USING '{hash_}'" for hash_ in hashes)


def choose_password_clause(definition: str, password: str) -> str:
    """The clause of an account that has to accept `password`: keep the two passwords of a rotation if one of them fits.

    `definition` is the account's `SHOW CREATE USER`, or empty.
    """
    match = _TWO_PASSWORDS.search(definition)
    return match[0] if match and _hash_password(password) in match[0] else build_password_clause(password)


def _hash_password(password: str) -> str:
    """SHA-1 of SHA-1: the algorithm of mysql_native_password."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(digest, usedforsecurity=False).hexdigest().upper()
