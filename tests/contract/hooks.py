"""What schemathesis is told besides the document: where its writes go, and what no schema can say.

It is loaded by schemathesis itself, in a process of its own.
"""

import json
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import ObjectLevelAuthorizationViolation, UseAfterFree

# The airports that it writes begin so, and none that other tests look at does.
PREFIX = "__"
# In this country other tests count the airports.
COUNTED = "ZZ"
LONGEST_WAIT = 1
NDJSON = "application/x-ndjson"

# A list's parameters can each be right and no index answer them together; OpenAPI has no words for that.
TOGETHER = ("No index answers this query.", "Only one field can have a range", "A range of ", "after: ")

schemathesis.openapi.format(
    "date-time",
    st.datetimes().map(lambda moment: f"{moment.replace(year=max(1000, min(moment.year, 9998))):%Y-%m-%dT%H:%M:%S}Z"),
)


def _confined(code: str) -> str:
    return f"{PREFIX}{code[2:]}" if re.fullmatch("[A-Z0-9_]{4}", code) else code


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Say of many items what OpenAPI 3.1 has no words for: the text is one item a line."""
    for methods in raw_schema["paths"].values():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if NDJSON in content:
            one = content["application/json"]["schema"]
            content[NDJSON] = {"schema": {"type": "array", "items": one, "minItems": 1}}


@schemathesis.serializer(NDJSON)
def lines(context: Any, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(item) for item in items).encode()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Keep the writes to a few airports of its own, and the two places of an id the same, where both are right."""
    linked = case.meta is None or case.meta.phase.name.value == "stateful"
    headers = case.headers or {}
    if not linked and "Prefer" in headers and isinstance(headers["Prefer"], str):
        headers["Prefer"] = re.sub("wait=[0-9]+", f"wait={LONGEST_WAIT}", headers["Prefer"])
    parameters, body = case.path_parameters or {}, case.body
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    for item in body if isinstance(body, list) else [body]:
        if isinstance(item, dict):
            _amended(item, positive=positive)
    if "/airports" not in case.path:
        return
    if isinstance(parameters.get("id"), str):
        parameters["id"] = _confined(parameters["id"])
    if case.method == "PUT" and positive and isinstance(body, dict):
        parameters["id"] = body["icao"]


def _amended(item: dict[str, Any], *, positive: bool) -> None:
    if positive and isinstance(item.get("seats"), float):
        item["seats"] = int(item["seats"])  # to JSON Schema 2.0 is an integer; the service takes 2 only
    if item.get("country") == COUNTED:
        item["country"] = "XX"
    if isinstance(item.get("icao"), str):
        item["icao"] = _confined(item["icao"])


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """A pending receipt repeats what was asked, to whoever asks: it tells nothing of another owner's write. And
    receipts are of writes, so they outlive the item."""
    if "/writes/" not in case.path:
        return True
    echoed = isinstance(failure, ObjectLevelAuthorizationViolation) and response.json()["status"] == "pending"
    return not (echoed or isinstance(failure, UseAfterFree))


# A parameter that schemathesis makes up and takes for allowed. The service refuses what it does not know.
MADE_UP = re.compile("(x-schemathesis-unknown-property)?: There is no such parameter here")


@schemathesis.check
def refused_together(ctx: Any, response: Any, case: Any) -> None:
    """A list of which each parameter is right is refused only because no index answers them together."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    detail = response.json()["detail"]
    if MADE_UP.fullmatch(detail):
        return
    assert case.method == "GET", detail
    assert "{" not in case.path, detail
    assert detail.startswith(TOGETHER), detail
