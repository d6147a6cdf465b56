"""What schemathesis needs in addition to the document: where its writes go, and what no schema can express.

schemathesis loads this module in its own process.
"""

import hashlib
import json
import re
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import ObjectLevelAuthorizationViolation, UseAfterFree

# The ids of the airports that schemathesis writes begin so. Other tests use no such ids.
PREFIX = "__"
# Other tests count the airports of this country.
COUNTED = "ZZ"
MAX_WAIT_SECONDS = 1
NDJSON = "application/x-ndjson"

# Each parameter of a list can be valid although no index answers their combination. OpenAPI cannot express that.
COMBINATION_ERRORS = ("No index answers this query.", "Only one field can have a range", "A range of ", "after: ")

schemathesis.openapi.format(
    "date-time",
    st.datetimes().map(lambda moment: f"{moment.replace(year=max(1000, min(moment.year, 9998))):%Y-%m-%dT%H:%M:%S}Z"),
)


_send = requests.adapters.HTTPAdapter.send


def _send_with_digest(adapter: Any, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> Any:
    """Send a request with the digest of its query, as CloudFront does.

    Without it, API Gateway's cache answers a refused query like the same query without its faults. A header of the test
    case would not do: after a change of its headers, schemathesis decides again whether a case is valid.
    """
    request.headers["x-query-digest"] = hashlib.sha256(urlsplit(str(request.url)).query.encode()).hexdigest()
    return _send(adapter, request, *arguments, **named)


requests.adapters.HTTPAdapter.send = _send_with_digest  # type: ignore[assignment, method-assign]


def _add_prefix(code: str) -> str:
    return f"{PREFIX}{code[2:]}" if re.fullmatch("[A-Z0-9_]{4}", code) else code


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Describe a body of several items as an array: OpenAPI 3.1 cannot describe one item on each line."""
    for methods in raw_schema["paths"].values():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if NDJSON in content:
            item = content["application/json"]["schema"]
            content[NDJSON] = {"schema": {"type": "array", "items": item, "minItems": 1}}


@schemathesis.serializer(NDJSON)
def serialize_lines(context: Any, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(item) for item in items).encode()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Limit the writes to a few airports, and make the id in the path equal to the key in a valid body."""
    is_linked = case.meta is None or case.meta.phase.name.value == "stateful"
    headers = case.headers or {}
    if not is_linked and "Prefer" in headers and isinstance(headers["Prefer"], str):
        headers["Prefer"] = re.sub("wait=[0-9]+", f"wait={MAX_WAIT_SECONDS}", headers["Prefer"])
    parameters, body = case.path_parameters or {}, case.body
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    for item in body if isinstance(body, list) else [body]:
        if isinstance(item, dict):
            _amend_item(item, positive=positive)
    if "/airports" not in case.path:
        return
    if isinstance(parameters.get("id"), str):
        parameters["id"] = _add_prefix(parameters["id"])
    if case.method == "PUT" and positive and isinstance(body, dict):
        parameters["id"] = body["icao"]


def _amend_item(item: dict[str, Any], *, positive: bool) -> None:
    if positive and isinstance(item.get("seats"), float):
        item["seats"] = int(item["seats"])  # for JSON Schema 2.0 is an integer; the service accepts only 2
    if item.get("country") == COUNTED:
        item["country"] = "XX"
    if isinstance(item.get("icao"), str):
        item["icao"] = _add_prefix(item["icao"])


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Ignore two failures of receipts. A pending receipt only repeats the request, so it reveals nothing of another
    owner's write. Receipts belong to writes, so they remain after the item is deleted."""
    if "/writes/" not in case.path:
        return True
    is_echo = isinstance(failure, ObjectLevelAuthorizationViolation) and response.json()["status"] == "pending"
    return not (is_echo or isinstance(failure, UseAfterFree))


# schemathesis invents parameters and considers them valid. The service rejects unknown parameters.
UNKNOWN_PARAMETER = re.compile("(x-schemathesis-unknown-property)?: There is no such parameter here")


@schemathesis.check
def refused_together(ctx: Any, response: Any, case: Any) -> None:
    """A list with only valid parameters is rejected only because no index answers their combination."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    detail = response.json()["detail"]
    if UNKNOWN_PARAMETER.fullmatch(detail):
        return
    assert case.method == "GET", detail
    assert "{" not in case.path, detail
    assert detail.startswith(COMBINATION_ERRORS), detail
