"""A request of the corpus, and the places of a request that take a client's value."""

import json
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Request:
    """A request as it is sent, byte by byte. `kind` groups requests in the report."""

    kind: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def encode_value(value: str) -> str:
    """Percent-encode a value for a URL. A value that is encoded already stays as it is."""
    return quote(value, safe="%") if "%" in value else quote(value, safe="")


def put_in_query(kind: str, value: str) -> Request:
    return Request(kind, "GET", f"/v1/airports?country={encode_value(value)}")


def put_in_path(kind: str, value: str) -> Request:
    return Request(kind, "GET", f"/v1/airports/{encode_value(value)}")


def put_in_cookie(kind: str, value: str) -> Request:
    return Request(kind, "GET", "/v1/airports", {"Cookie": f"session={encode_value(value)}"})


def put_in_body(kind: str, value: str) -> Request:
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
    body = json.dumps(item, ensure_ascii=False).encode()
    return Request(kind, "PUT", "/v1/airports/XATT", {"Content-Type": JSON_TYPE}, body)


PLACEMENTS = (put_in_query, put_in_path, put_in_cookie, put_in_body)
