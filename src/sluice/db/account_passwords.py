"""By which passwords an account of the database lets in, in MariaDB's words.

A password goes to the server as its hash only: no statement, log or error message can hold it.
"""

import hashlib
import re

_WAY = r"mysql_native_password USING '\*[0-9A-F]{40}'"


_ONE_OR_OTHER = re.compile(rf"IDENTIFIED VIA {_WAY} OR {_WAY}(?= |$)")


def build_password_clause(*passwords: str) -> str:
    """The clause by which any of the passwords lets in, worded as the server words it."""
    hashes = list(dict.fromkeys(_hash_password(password) for password in passwords))
    if len(hashes) == 1:
        return f"IDENTIFIED BY PASSWORD '{hashes[0]}'"
    return "IDENTIFIED VIA " + " OR ".join(f"mysql_native_password USING '{one}'" for one in hashes)


def choose_password_clause(made: str, password: str) -> str:
    """The clause of an account that must let in by `password`: its own where a rotation left it two that fit.

    `made` is what `SHOW CREATE USER` says of the account, or nothing.
    """
    found = _ONE_OR_OTHER.search(made)
    return found[0] if found and _hash_password(password) in found[0] else build_password_clause(password)


def _hash_password(password: str) -> str:
    """What mysql_native_password keeps: SHA-1 twice. The protocol sets the algorithm."""
    once = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()
