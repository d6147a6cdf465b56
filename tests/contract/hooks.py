"""What schemathesis is told besides the document: where its writes go, and what no schema can say.

It is loaded by schemathesis itself, in a process of its own.
"""

import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import ObjectLevelAuthorizationViolation

# The airports that it writes begin so, and none that other tests look at does.
PREFIX = "__"
LONGEST_WAIT = 1

# A list's parameters can each be right and no index answer them together; OpenAPI has no words for that.
TOGETHER = ("No index answers this.", "A range is of one field", "A range of ", "after: ")

schemathesis.openapi.format(
    "date-time",
    st.datetimes().map(lambda moment: f"{moment.replace(year=max(1000, min(moment.year, 9998))):%Y-%m-%dT%H:%M:%S}Z"),
)


def _confined(code: str) -> str:
    return f"{PREFIX}{code[2:]}" if re.fullmatch("[A-Z0-9_]{4}", code) else code


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Keep the writes to a few airports of its own, and the two places of an id the same, where both are right."""
    linked = case.meta is None or case.meta.phase.name.value == "stateful"
    headers = case.headers or {}
    if not linked and "Prefer" in headers and isinstance(headers["Prefer"], str):
        headers["Prefer"] = re.sub("wait=[0-9]+", f"wait={LONGEST_WAIT}", headers["Prefer"])
    parameters, body = case.path_parameters or {}, case.body
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and isinstance(body, dict) and isinstance(body.get("seats"), float):
        body["seats"] = int(body["seats"])  # to JSON Schema 2.0 is an integer; the service takes 2 only
    if "/airports" not in case.path:
        return
    if isinstance(parameters.get("id"), str):
        parameters["id"] = _confined(parameters["id"])
    if isinstance(body, dict) and isinstance(body.get("icao"), str):
        body["icao"] = _confined(body["icao"])
        if case.method == "PUT" and positive:
            parameters["id"] = body["icao"]


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """A pending receipt repeats what was asked, to whoever asks: it tells nothing of another owner's write."""
    echoed = isinstance(failure, ObjectLevelAuthorizationViolation) and "/writes/" in case.path
    return not (echoed and response.json()["status"] == "pending")


@schemathesis.check
def refused_together(ctx: Any, response: Any, case: Any) -> None:
    """A list of which each parameter is right is refused only because no index answers them together."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    detail = response.json()["detail"]
    assert case.method == "GET", detail
    assert "{" not in case.path, detail
    assert detail.startswith(TOGETHER), detail
