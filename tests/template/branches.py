"""The branches of a workflow, and the branches that executions took according to their histories."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.template.running import Definition, list_states

Event = dict[str, Any]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "BooleanEquals": lambda value, to: value is to,
    "StringEquals": lambda value, to: value == to,
    "NumericEquals": lambda value, to: value == to,
    "NumericGreaterThan": lambda value, to: value > to,
    "NumericLessThan": lambda value, to: value < to,
    "IsPresent": lambda value, to: (value is not None) is to,
}


def list_branches(whole: Definition) -> set[str]:
    """Each error of each retrier and catcher, each rule of each Choice, and each default."""
    return {branch for name, state in list_states(whole) for branch in _list_state_branches(name, state)}


def _list_state_branches(name: str, state: dict[str, Any]) -> Iterator[str]:
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


def find_taken_branches(whole: Definition, history: Iterable[Event]) -> set[str]:
    """The branches that one execution took."""
    states, taken_branches = dict(list_states(whole)), set[str]()
    name, state_input, error = "", None, ""
    for event in history:
        kind = event["type"]
        details: dict[str, Any] = next((event[key] for key in event if key.endswith("EventDetails")), {})
        if kind.endswith("StateEntered"):
            if error:
                taken_branches |= _list_caught_branches(name, states[name], error)
            elif name and states[name]["Type"] == "Choice":
                taken_branches.add(_find_chosen_branch(name, states[name], state_input))
            name, state_input, error = details["name"], json.loads(details["input"]), ""
        elif kind in {"TaskFailed", "MapRunFailed"}:
            error = details["error"]
        elif kind in {"TaskScheduled", "MapRunStarted"} and error:
            taken_branches |= {_retry(name, handler, by) for handler, by in _find_handler(states[name]["Retry"], error)}
            error = ""
    return taken_branches


def _list_caught_branches(name: str, state: dict[str, Any], error: str) -> set[str]:
    excluded = [(retrier, by) for retrier, by in _find_handler(state["Retry"], error) if not retrier["MaxAttempts"]]
    caught = _find_handler(state["Catch"], error)
    return {_retry(name, retrier, by) for retrier, by in excluded} | {
        _catch(name, catcher, by) for catcher, by in caught
    }


def _find_handler(handlers: list[dict[str, Any]], error: str) -> list[tuple[dict[str, Any], str]]:
    """The first handler that matches an error, and the matching name; empty if none matches."""
    for handler in handlers:
        for name in (error, "States.ALL"):
            if name in handler["ErrorEquals"]:
                return [(handler, name)]
    return []


def _retry(name: str, retrier: dict[str, Any], error: str) -> str:
    return f"{name}: {'retry' if retrier['MaxAttempts'] else 'no retry'} after {error}"


def _catch(name: str, catcher: dict[str, Any], error: str) -> str:
    return f"{name}: to {catcher['Next']} after {error}"


def _find_chosen_branch(name: str, state: dict[str, Any], state_input: Any) -> str:
    for number, rule in enumerate(state["Choices"], 1):
        if _matches_rule(rule, state_input):
            return f"{name}: rule {number}, to {rule['Next']}"
    return f"{name}: otherwise to {state['Default']}"


def _matches_rule(rule: dict[str, Any], state_input: Any) -> bool:
    if "And" in rule:
        return all(_matches_rule(part, state_input) for part in rule["And"])
    value = state_input
    for step in rule["Variable"].removeprefix("$.").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    [comparison] = rule.keys() - {"Variable", "Next"}
    return _COMPARISONS[comparison](value, rule[comparison])
