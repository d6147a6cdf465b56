"""The attack corpus: lists of payloads, placed into requests; and requests that break the protocol or are too large."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from local.process import LocalError
from testkit.attack.requests import JSON_TYPE, PLACEMENTS, Request

# Of the long lists of traversals so many, spread over the whole.
MAX_TRAVERSALS = 200


LONG_QUERY_BYTES = (2_100, 4_000, 7_000, 9_000, 20_000, 40_000)


"""Bytes of a query string: AWS's common rules take 2,048."""


LARGE_BODY_BYTES = (10_000_001, 10_200_000, 10_485_000)


"""Bytes of a body: the template's largest is 9,999,999, told by its digits."""


def build_attacks(limit: int | None = None) -> list[Request]:
    """All of them, or about `most`, spread over the whole. Raises LocalError when the lists cannot be had."""
    found = [*_build_injections(), *_build_protocol_attacks(), *_build_oversized()]
    step = 1 if limit is None else max(1, len(found) // limit)
    return found[::step]


def _build_injections() -> Iterator[Request]:
    traversals = list_traversals()
    kinds = {
        "sql": list_sql_injections(),
        "script": list_scripts(),
        "traversal": traversals[:: max(1, len(traversals) // MAX_TRAVERSALS)],
    }
    for kind, payloads in kinds.items():
        for payload in payloads:
            for place in PLACEMENTS:
                yield place(kind, payload)


def _build_protocol_attacks() -> Iterator[Request]:
    for method in list_unused_methods():
        yield Request("protocol", method, "/v1/airports")
    for target in ("/v1/airports", "/v1/airports/EDDF", "/v1/bookings"):
        splitting = "%0d%0aSet-Cookie:%20session=1", "%0d%0aLocation:%20http://example.com/%0d%0a%0d%0a<html>"
        for part in splitting:
            yield Request("protocol", "GET", f"{target}?limit=10{part}")
        yield Request("protocol", "GET", f"{target}?limit=1%00")
        yield Request("protocol", "GET", target, {"Content-Length": "3"}, b"a=1")
        yield Request("protocol", "POST", target, {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=2")
        yield Request("protocol", "POST", target, {"Content-Type": "text/xml"}, b"<a/>")
        yield Request(
            "protocol", "GET", target, {"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 60, 2))}
        )


def _build_oversized() -> Iterator[Request]:
    for size in LONG_QUERY_BYTES:
        yield Request("oversized", "GET", f"/v1/airports?after={'a' * size}")
        yield Request("oversized", "GET", f"/v1/airports/{'a' * size}")
        yield Request("oversized", "GET", "/v1/airports", {"Cookie": f"session={'a' * (10_300 + size)}"})
    for size in LARGE_BODY_BYTES:
        yield Request(
            "oversized", "POST", "/v1/bookings", {"Content-Type": JSON_TYPE}, b'{"notes":"' + b"a" * size + b'"}'
        )


ROOT = Path(__file__).parents[2]


DOWNLOAD_FOLDER = ROOT / ".tools" / "wfuzz"


# A sign or a word alone is no attack: of SQL's lists, lines with both a word of SQL and a sign that breaks out or
# compares.
_SQL_WORD = re.compile(
    r"\b(or|and|union|select|exec|execute|insert|update|delete|drop|having|order\s+by|sleep|waitfor|benchmark)\b", re.I
)


_SQL_SIGN = re.compile(r"['\"=#();|]|--|/\*")


def read_word_list(name: str) -> list[str]:
    """The lines of one of the lists, in their order, each once. Raises LocalError when the package cannot be had."""
    text = (_unpack_word_lists() / name).read_text("latin-1")
    return list(dict.fromkeys(line for line in text.splitlines() if line.strip() and not line.startswith("# ")))


def list_sql_injections() -> list[str]:
    found = [*read_word_list("Injections/SQL.txt"), *read_word_list("vulns/sql_inj.txt")]
    decoded = {line: unquote(line, "latin-1").replace("/**/", " ") for line in found}
    return [line for line, text in decoded.items() if _SQL_WORD.search(text) and _SQL_SIGN.search(text)]


def list_scripts() -> list[str]:
    return [
        *read_word_list("Injections/XSS.txt"),
        *(line for line in read_word_list("Injections/XML.txt") if "<" in line),
    ]


def list_traversals() -> list[str]:
    """Both systems' lists in turn, with a file in place of `{FILE}`."""
    unix = [line.replace("{FILE}", "etc/passwd") for line in read_word_list("vulns/dirTraversal-nix.txt")]
    windows = [line.replace("{FILE}", "boot.ini") for line in read_word_list("vulns/dirTraversal-win.txt")]
    return [line for pair in zip(unix, windows, strict=False) for line in pair if ".." in line or "%" in line]


def list_unused_methods() -> list[str]:
    """Methods that no client of the service has a use for."""
    useful = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
    return [word for word in read_word_list("general/http_methods.txt") if word.isascii() and word not in useful]


def _unpack_word_lists() -> Path:
    lists = DOWNLOAD_FOLDER / "usr" / "share" / "wfuzz" / "wordlist"
    if not lists.exists():
        DOWNLOAD_FOLDER.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "download", "wfuzz"], ["sh", "-c", "dpkg-deb -x wfuzz_*.deb ."]):
            done = subprocess.run(command, cwd=DOWNLOAD_FOLDER, capture_output=True, text=True, check=False)
            if done.returncode:
                raise LocalError(f"Debian's package wfuzz could not be had: {done.stderr.strip()[-300:]}")
    return lists
