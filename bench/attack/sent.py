"""A request as the corpus has it: what is sent, byte by byte, and where in it the attack is."""

import json
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

JSON = "application/json"


@dataclass(frozen=True)
class Sent:
    kind: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def encoded(value: str) -> str:
    """A value for an address: what is percent-encoded already is left as it is."""
    return quote(value, safe="%") if "%" in value else quote(value, safe="")


def in_query(kind: str, value: str) -> Sent:
    return Sent(kind, "GET", f"/v1/airports?country={encoded(value)}")


def in_path(kind: str, value: str) -> Sent:
    return Sent(kind, "GET", f"/v1/airports/{encoded(value)}")


def in_cookie(kind: str, value: str) -> Sent:
    return Sent(kind, "GET", "/v1/airports", {"Cookie": f"session={encoded(value)}"})


def in_body(kind: str, value: str) -> Sent:
    item = {
        "icao": "XATT",
        "name": unquote(value, "latin-1"),
        "country": "IS",
        "lat": 64.1,
        "lon": -21.9,
        "elevation": 48.0,
        "tz": "Atlantic/Reykjavik",
        "iata": "",
        "city": "",
        "subd": "",
        "lid": "",
    }
    return Sent(kind, "PUT", "/v1/airports/XATT", {"Content-Type": JSON}, json.dumps(item, ensure_ascii=False).encode())


PLACES = (in_query, in_path, in_cookie, in_body)
