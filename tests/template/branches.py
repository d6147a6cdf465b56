"""The branches of a workflow, and the branches that executions took according to their histories."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.template.running import Definition, states_of

Event = dict[str, Any]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "BooleanEquals": lambda value, to: value is to,
    "StringEquals": lambda value, to: value == to,
    "NumericEquals": lambda value, to: value == to,
    "NumericGreaterThan": lambda value, to: value > to,
    "NumericLessThan": lambda value, to: value < to,
    "IsPresent": lambda value, to: (value is not None) is to,
}


def branches(whole: Definition) -> set[str]:
    """Each error of each retrier and catcher, each rule of each Choice, and each default."""
    return {branch for name, state in states_of(whole) for branch in _of_state(name, state)}


def _of_state(name: str, state: dict[str, Any]) -> Iterator[str]:
    for retrier in state.get("Retry", []):
        for error in retrier["ErrorEquals"]:
            yield _retry(name, retrier, error)
    for catcher in state.get("Catch", []):
        for error in catcher["ErrorEquals"]:
            yield _catch(name, catcher, error)
    for number, rule in enumerate(state.get("Choices", []), 1):
        yield f"{name}: rule {number}, to {rule['Next']}"
    if "Default" in state:
        yield f"{name}: otherwise to {state['Default']}"


def taken(whole: Definition, history: Iterable[Event]) -> set[str]:
    """The branches that one execution took."""
    states, found = dict(states_of(whole)), set[str]()
    name, given, error = "", None, ""
    for event in history:
        kind = event["type"]
        details: dict[str, Any] = next((event[key] for key in event if key.endswith("EventDetails")), {})
        if kind.endswith("StateEntered"):
            if error:
                found |= _caught(name, states[name], error)
            elif name and states[name]["Type"] == "Choice":
                found.add(_chosen(name, states[name], given))
            name, given, error = details["name"], json.loads(details["input"]), ""
        elif kind in {"TaskFailed", "MapRunFailed"}:
            error = details["error"]
        elif kind in {"TaskScheduled", "MapRunStarted"} and error:
            found |= {_retry(name, one, by) for one, by in _first(states[name]["Retry"], error)}
            error = ""
    return found


def _caught(name: str, state: dict[str, Any], error: str) -> set[str]:
    not_tried = [(one, by) for one, by in _first(state["Retry"], error) if not one["MaxAttempts"]]
    caught = _first(state["Catch"], error)
    return {_retry(name, one, by) for one, by in not_tried} | {_catch(name, one, by) for one, by in caught}


def _first(handlers: list[dict[str, Any]], error: str) -> list[tuple[dict[str, Any], str]]:
    """The first handler that matches an error, and the matching name; empty if none matches."""
    for handler in handlers:
        for name in (error, "States.ALL"):
            if name in handler["ErrorEquals"]:
                return [(handler, name)]
    return []


def _retry(name: str, retrier: dict[str, Any], error: str) -> str:
    return f"{name}: {'again' if retrier['MaxAttempts'] else 'not again'} after {error}"


def _catch(name: str, catcher: dict[str, Any], error: str) -> str:
    return f"{name}: to {catcher['Next']} after {error}"


def _chosen(name: str, state: dict[str, Any], given: Any) -> str:
    for number, rule in enumerate(state["Choices"], 1):
        if _holds(rule, given):
            return f"{name}: rule {number}, to {rule['Next']}"
    return f"{name}: otherwise to {state['Default']}"


def _holds(rule: dict[str, Any], given: Any) -> bool:
    if "And" in rule:
        return all(_holds(part, given) for part in rule["And"])
    value = given
    for step in rule["Variable"].removeprefix("$.").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    [comparison] = rule.keys() - {"Variable", "Next"}
    return _COMPARISONS[comparison](value, rule[comparison])
