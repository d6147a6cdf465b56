"""The attack corpus: every payload in every place of a request; requests that break the protocol or are too large.

The payloads come from the word lists of Debian's package wfuzz. They are downloaded when they are needed, and not kept
in the project. The package is not installed: it depends on much that nothing here needs.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from local.process import LocalError
from testkit.attack.requests import JSON_TYPE, PLACEMENTS, Request

DOWNLOAD_FOLDER = Path(__file__).parents[2] / ".tools" / "wfuzz"

# The lists of path traversals are long: this many are used, spread over the whole.
MAX_TRAVERSALS = 200
# The common rules of AWS accept query strings up to 2,048 bytes.
LONG_QUERY_BYTES = (2_100, 4_000, 7_000, 9_000, 20_000, 40_000)
# The template accepts bodies up to 9,999,999 bytes: its rule counts the digits.
LARGE_BODY_BYTES = (10_000_001, 10_200_000, 10_485_000)

# A single sign or word is not an attack. SQL payloads have a word of SQL, and a sign that breaks out or compares.
_SQL_WORD = re.compile(
    r"\b(or|and|union|select|exec|execute|insert|update|delete|drop|having|order\s+by|sleep|waitfor|benchmark)\b", re.I
)
_SQL_SIGN = re.compile(r"['\"=#();|]|--|/\*")


def build_attacks(limit: int | None = None) -> list[Request]:
    """The corpus, or about `limit` requests spread over it. Raises LocalError when the lists cannot be downloaded."""
    attacks = [*_build_injections(), *_build_protocol_attacks(), *_build_oversized()]
    step = 1 if limit is None else max(1, len(attacks) // limit)
    return attacks[::step]


def _build_injections() -> Iterator[Request]:
    traversals = list_traversals()
    kinds = {
        "sql": list_sql_injections(),
        "script": list_scripts(),
        "traversal": traversals[:: max(1, len(traversals) // MAX_TRAVERSALS)],
    }
    for kind, payloads in kinds.items():
        for payload in payloads:
            for put_payload in PLACEMENTS:
                yield put_payload(kind, payload)


def _build_protocol_attacks() -> Iterator[Request]:
    for method in list_unused_methods():
        yield Request("protocol", method, "/v1/airports")
    response_splitting = (
        "%0d%0aSet-Cookie:%20session=1",
        "%0d%0aLocation:%20http://example.com/%0d%0a%0d%0a<html>",
    )
    many_ranges = "bytes=" + ",".join(f"{start}-{start + 1}" for start in range(0, 60, 2))
    for target in ("/v1/airports", "/v1/airports/EDDF", "/v1/bookings"):
        for payload in response_splitting:
            yield Request("protocol", "GET", f"{target}?limit=10{payload}")
        yield Request("protocol", "GET", f"{target}?limit=1%00")
        yield Request("protocol", "GET", target, {"Content-Length": "3"}, b"a=1")
        yield Request("protocol", "POST", target, {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=2")
        yield Request("protocol", "POST", target, {"Content-Type": "text/xml"}, b"<a/>")
        yield Request("protocol", "GET", target, {"Range": many_ranges})


def _build_oversized() -> Iterator[Request]:
    for size in LONG_QUERY_BYTES:
        yield Request("oversized", "GET", f"/v1/airports?after={'a' * size}")
        yield Request("oversized", "GET", f"/v1/airports/{'a' * size}")
        yield Request("oversized", "GET", "/v1/airports", {"Cookie": f"session={'a' * (10_300 + size)}"})
    for size in LARGE_BODY_BYTES:
        body = b'{"notes":"' + b"a" * size + b'"}'
        yield Request("oversized", "POST", "/v1/bookings", {"Content-Type": JSON_TYPE}, body)


def list_sql_injections() -> list[str]:
    lines = [*read_word_list("Injections/SQL.txt"), *read_word_list("vulns/sql_inj.txt")]
    decoded = {line: unquote(line, "latin-1").replace("/**/", " ") for line in lines}
    return [line for line, text in decoded.items() if _SQL_WORD.search(text) and _SQL_SIGN.search(text)]


def list_scripts() -> list[str]:
    xml_lines = [line for line in read_word_list("Injections/XML.txt") if "<" in line]
    return [*read_word_list("Injections/XSS.txt"), *xml_lines]


def list_traversals() -> list[str]:
    """The traversals for Unix and Windows in turns, with a file in place of `{FILE}`."""
    unix = [line.replace("{FILE}", "etc/passwd") for line in read_word_list("vulns/dirTraversal-nix.txt")]
    windows = [line.replace("{FILE}", "boot.ini") for line in read_word_list("vulns/dirTraversal-win.txt")]
    return [line for pair in zip(unix, windows, strict=False) for line in pair if ".." in line or "%" in line]


def list_unused_methods() -> list[str]:
    """Methods that no client of the service uses."""
    used = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
    return [word for word in read_word_list("general/http_methods.txt") if word.isascii() and word not in used]


def read_word_list(name: str) -> list[str]:
    """The lines of a word list in their order, without repetitions. Raises LocalError when it cannot be downloaded."""
    text = (_unpack_word_lists() / name).read_text("latin-1")
    return list(dict.fromkeys(line for line in text.splitlines() if line.strip() and not line.startswith("# ")))


def _unpack_word_lists() -> Path:
    folder = DOWNLOAD_FOLDER / "usr" / "share" / "wfuzz" / "wordlist"
    if not folder.exists():
        DOWNLOAD_FOLDER.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "download", "wfuzz"], ["sh", "-c", "dpkg-deb -x wfuzz_*.deb ."]):
            process = subprocess.run(command, cwd=DOWNLOAD_FOLDER, capture_output=True, text=True, check=False)
            if process.returncode:
                raise LocalError(f"Debian's package wfuzz cannot be downloaded: {process.stderr.strip()[-300:]}")
    return folder
