"""The lists of attacks that Debian's package wfuzz ships, unpacked when they are needed: they are not kept in the
project.

The package is not installed, since it depends on much that nothing here needs.
"""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

from local.process import LocalError

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".tools" / "wfuzz"

# A sign or a word alone is no attack: of SQL's lists, lines with both a word of SQL and a sign that breaks out or
# compares.
_SQL_WORD = re.compile(
    r"\b(or|and|union|select|exec|execute|insert|update|delete|drop|having|order\s+by|sleep|waitfor|benchmark)\b", re.I
)
_SQL_SIGN = re.compile(r"['\"=#();|]|--|/\*")


def words(name: str) -> list[str]:
    """The lines of one of the lists, in their order, each once. Raises LocalError when the package cannot be had."""
    text = (_unpacked() / name).read_text("latin-1")
    return list(dict.fromkeys(line for line in text.splitlines() if line.strip() and not line.startswith("# ")))


def sql_injections() -> list[str]:
    found = [*words("Injections/SQL.txt"), *words("vulns/sql_inj.txt")]
    decoded = {line: unquote(line, "latin-1").replace("/**/", " ") for line in found}
    return [line for line, text in decoded.items() if _SQL_WORD.search(text) and _SQL_SIGN.search(text)]


def scripts() -> list[str]:
    return [*words("Injections/XSS.txt"), *(line for line in words("Injections/XML.txt") if "<" in line)]


def traversals() -> list[str]:
    """Both systems' lists in turn, with a file in place of `{FILE}`."""
    unix = [line.replace("{FILE}", "etc/passwd") for line in words("vulns/dirTraversal-nix.txt")]
    windows = [line.replace("{FILE}", "boot.ini") for line in words("vulns/dirTraversal-win.txt")]
    return [line for pair in zip(unix, windows, strict=False) for line in pair if ".." in line or "%" in line]


def methods() -> list[str]:
    """Methods that no client of the service has a use for."""
    useful = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
    return [word for word in words("general/http_methods.txt") if word.isascii() and word not in useful]


def _unpacked() -> Path:
    lists = PLACE / "usr" / "share" / "wfuzz" / "wordlist"
    if not lists.exists():
        PLACE.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "download", "wfuzz"], ["sh", "-c", "dpkg-deb -x wfuzz_*.deb ."]):
            done = subprocess.run(command, cwd=PLACE, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LocalError(f"Debian's package wfuzz could not be had: {done.stderr.strip()[-300:]}")
    return lists
