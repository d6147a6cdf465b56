"""Gap: a child of a Distributed Map had no history of the states that it entered."""

import copy
import json
from typing import Any

from ministack.services import stepfunctions


def walk(processor: dict[str, Any], given: Any, child: dict[str, Any], ctx: dict[str, Any]) -> Any:
    """Run a child's states on its input and return its output. Raises an _ExecutionError when it fails."""
    name, data = processor["StartAt"], copy.deepcopy(given)
    while name:
        state = processor["States"][name]
        ctx["State"] = {"Name": name, "EnteredTime": stepfunctions.now_iso(), "RetryCount": 0}
        details = {"name": name, "input": json.dumps(data)}
        stepfunctions._add_event(child, f"{state['Type']}StateEntered", {"stateEnteredEventDetails": details})
        data, name = _done(state, data, child, ctx)
    return data


def _done(state: dict[str, Any], data: Any, child: dict[str, Any], ctx: dict[str, Any]) -> tuple[Any, str | None]:
    """The output of a state, and the name of the next one."""
    match state["Type"]:
        case "Task":
            return tuple(stepfunctions._execute_task(state, data, child, ctx))
        case "Choice":
            return tuple(stepfunctions._execute_choice(state, data, ctx))
        case "Pass":
            return tuple(stepfunctions._execute_pass(state, data, ctx))
        case "Fail":
            raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, data, ctx))
        case other:
            raise stepfunctions._ExecutionError("States.Runtime", f"Unknown state type: {other}")
