"""Proxy events as API Gateway makes them, and the answers of the API functions."""

import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ALICE = {"sub": "9f0c1d9e-alice", "scope": "aws.cognito.signin.user.admin"}
EDITOR = {"sub": "5b1e77aa-editor", "cognito:groups": "editors", "scope": "sluice/write"}

AIRPORT: dict[str, Any] = {
    "icao": "EDDB",
    "name": "Berlin Brandenburg",
    "country": "DE",
    "lat": 52.36,
    "lon": 13.5,
    "elevation": 157,
    "tz": "Europe/Berlin",
}
BOOKING: dict[str, Any] = {
    "passenger": "Ada Lovelace",
    "departs_at": "2026-12-24T08:15:00+01:00",
    "seats": 2,
    "price": "199.90",
    "cabin": "economy",
    "airports": ["EDDB", "LFPG"],
}
BOOKING_ID = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"


class Context:
    """What Lambda hands a handler besides the event."""

    aws_request_id = "6f3f3a0e-request"
    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"

    def get_remaining_time_in_millis(self) -> int:
        """Two minutes, whenever it is asked."""
        return 120_000


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, its body as JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def fields(self) -> list[str]:
        """The fields that a problem document names."""
        return [fault["field"] for fault in self.body.get("errors", [])]


def event(
    method: str,
    path: str,
    body: object = None,
    *,
    claims: Mapping[str, object] | None = ALICE,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    base64: bool = False,
) -> dict[str, Any]:
    """A proxy event for a path below `/v1`. A body but a text is sent as JSON; no claims: no token."""
    collection, _, rest = path.partition("/")
    item_id, _, version = rest.partition("/writes/")
    parameters = {name: value for name, value in (("id", item_id), ("version", version)) if value}
    resource = f"/v1/{collection}" + ("/{id}" if item_id else "") + ("/writes/{version}" if version else "")
    return {
        "resource": resource,
        "path": f"/v1/{path}",
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "queryStringParameters": query,
        "pathParameters": parameters or None,
        "requestContext": {} if claims is None else {"authorizer": {"claims": dict(claims)}},
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": base64,
    }


def lines_event(collection: str, lines: Iterable[object], **more: Any) -> dict[str, Any]:
    """A proxy event for a POST of many lines. A line but a text is sent as JSON."""
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    headers = {"Content-Type": "application/x-ndjson", **more.pop("headers", {})}
    return event("POST", collection, body, headers=headers, **more)


def ask(sent: Mapping[str, Any], function: str = "") -> Answer:
    """Hand an event to its function (by its method) and return the answer, which must be well-formed."""
    handler = importlib.import_module(f"sluice.handlers.{function or sent['httpMethod'].lower()}")
    answer = handler.handle(sent, Context())
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    body = json.loads(answer["body"])
    if answer["statusCode"] >= 400:
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        members = {"type", "title", "status", "detail"}
        assert members <= body.keys() <= members | {"errors", "accepted", "refused", "lines"}
        assert body["status"] == answer["statusCode"]
        assert all(body[key] for key in ("type", "title", "detail"))
    else:
        assert answer["headers"]["Content-Type"] == "application/json"
    return Answer(answer["statusCode"], answer["headers"], body)
