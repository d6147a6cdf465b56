"""One run of a Distributed Map: its record, its child executions, and the failure threshold that ends it.

Unlike MiniStack's children, these have a history of the states that they entered.
"""

import contextvars
import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.core.responses import new_uuid, now_iso
from ministack.services import stepfunctions

from local.emulator.workflows.executions import execution_log

_COUNTERS = (
    "pending",
    "running",
    "succeeded",
    "failed",
    "timedOut",
    "aborted",
    "total",
    "resultsWritten",
    "failuresNotRedrivable",
    "pendingRedrive",
)
_DEFAULT_MAX_CONCURRENCY = 64


class MapRun:
    """A run of a Distributed Map. Each item is the input of one child execution."""

    def __init__(
        self, state: dict[str, Any], effective_input: Any, execution: dict[str, Any], items: list[Any]
    ) -> None:
        _, _, _, region, account, _, machine, *_ = execution["stateMachineArn"].split(":")
        label, self.id = state.get("Label") or new_uuid(), new_uuid()
        self._machine_arn = f"arn:aws:states:{region}:{account}:stateMachine:{machine}/{label}"
        self._children_arn = f"arn:aws:states:{region}:{account}:execution:{machine}/{label}"
        self.arn = f"arn:aws:states:{region}:{account}:mapRun:{machine}/{label}:{self.id}"
        self.state, self.effective_input, self._execution, self.items = state, effective_input, execution, items
        max_concurrency = int(self._read_field("MaxConcurrency") or 0)
        self._max_concurrency = max_concurrency or max(1, min(len(items), _DEFAULT_MAX_CONCURRENCY))
        self._lock = threading.Lock()
        self.children: list[dict[str, Any] | None] = [None] * len(items)
        counts = {**dict.fromkeys(_COUNTERS, 0), "total": len(items), "pending": len(items)}
        self.record = {
            "mapRunArn": self.arn,
            "executionArn": execution["executionArn"],
            "status": "RUNNING",
            "startDate": now_iso(),
            "maxConcurrency": max_concurrency,
            "toleratedFailurePercentage": float(self._read_field("ToleratedFailurePercentage") or 0),
            "toleratedFailureCount": int(self._read_field("ToleratedFailureCount") or 0),
            "itemCounts": counts,
            "executionCounts": dict(counts),
            "redriveCount": 0,
            "_stateMachineArn": self._machine_arn,
        }
        stepfunctions._map_runs[self.arn] = self.record
        execution_log.append("map_runs", self.arn, self.record)

    def run(self, processor: dict[str, Any], context: dict[str, Any]) -> list[Any]:
        """Run all children and return their outputs in the order of the items. Raises _ExecutionError on failure."""
        with ThreadPoolExecutor(self._max_concurrency) as pool:
            for index in range(len(self.items)):
                pool.submit(contextvars.copy_context().run, self._run_child, index, processor, copy.deepcopy(context))
        self.record["stopDate"] = now_iso()
        if self.record["status"] == "RUNNING" and self._execution["status"] == "RUNNING":
            self.record["status"] = "SUCCEEDED"
        execution_log.append("map_runs", self.arn, self.record)
        if self._execution["status"] != "RUNNING":
            raise stepfunctions._ExecutionError("States.Runtime", "The execution was stopped.")
        if self.record["status"] == "FAILED":
            message = "The specified tolerated failure threshold was exceeded"
            raise stepfunctions._ExecutionError("States.ExceedToleratedFailureThreshold", message)
        return [json.loads(child["output"]) for child in self.children if child and child["status"] == "SUCCEEDED"]

    def stop(self) -> None:
        """Abort the run because its execution was stopped."""
        with self._lock:
            if self.record["status"] == "RUNNING":
                self.record["status"] = "ABORTED"
                self._abort_children()

    def _run_child(self, index: int, processor: dict[str, Any], context: dict[str, Any]) -> None:
        with self._lock:
            if self.record["status"] != "RUNNING":
                return
            child = self.children[index] = self._create_child(index, context)
            self._move_count("pending", "running")
        try:
            output = _run_states(processor, json.loads(child["input"]), child, context)
            outcome = {"status": "SUCCEEDED", "output": json.dumps(output)}
        except stepfunctions._ExecutionError as error:
            outcome = {"status": "FAILED", "error": error.error, "cause": error.cause}
        with self._lock:
            is_aborted = child["status"] != "RUNNING"
            child.update({} if is_aborted else outcome, stopDate=now_iso())
            self._move_count("running", child["status"].lower())
            execution_log.append("executions", child["executionArn"], child)
            if self.record["status"] == "RUNNING" and self._has_too_many_failures():
                self.record["status"] = "FAILED"
                self._abort_children()

    def _create_child(self, index: int, context: dict[str, Any]) -> dict[str, Any]:
        item = self.items[index]
        context["Map"] = {"Item": {"Index": index, "Value": item}}
        selector, name = self.state.get("ItemSelector"), new_uuid()
        child_input = stepfunctions._resolve_params_obj(selector, self.effective_input, context) if selector else item
        child = {
            "executionArn": f"{self._children_arn}:{name}",
            "stateMachineArn": self._machine_arn,
            "mapRunArn": self.arn,
            "name": name,
            "status": "RUNNING",
            "startDate": now_iso(),
            "stopDate": None,
            "input": json.dumps(child_input),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "events": [],
            "testCase": self._execution.get("testCase"),
            "mockAttempts": {},
        }
        stepfunctions._executions[child["executionArn"]] = child
        return child

    def _read_field(self, name: str) -> Any:
        """Return a field of the state, or what its `…Path` form selects in the input."""
        path = self.state.get(f"{name}Path")
        return stepfunctions._resolve_path(path, self.effective_input) if path else self.state.get(name)

    def _move_count(self, before: str, after: str) -> None:
        for counts in (self.record["itemCounts"], self.record["executionCounts"]):
            counts[before] -= 1
            counts[after] += 1

    def _has_too_many_failures(self) -> bool:
        failed = self.record["itemCounts"]["failed"]
        exceeded = []
        if (count := self._read_field("ToleratedFailureCount")) is not None:
            exceeded.append(failed > int(count))
        if (percentage := self._read_field("ToleratedFailurePercentage")) is not None:
            exceeded.append(failed * 100 > float(percentage) * len(self.items))
        return any(exceeded) if exceeded else failed > 0

    def _abort_children(self) -> None:
        """Mark the running children as aborted. Each stops when it next checks its status."""
        for child in self.children:
            if child and child["status"] == "RUNNING":
                child["status"] = "ABORTED"


def _run_states(processor: dict[str, Any], child_input: Any, child: dict[str, Any], context: dict[str, Any]) -> Any:
    """Run a child's states on its input and return its output. Raises _ExecutionError if the child fails."""
    name, data = processor["StartAt"], copy.deepcopy(child_input)
    while name:
        state = processor["States"][name]
        context["State"] = {"Name": name, "EnteredTime": stepfunctions.now_iso(), "RetryCount": 0}
        details = {"name": name, "input": json.dumps(data)}
        stepfunctions._add_event(child, f"{state['Type']}StateEntered", {"stateEnteredEventDetails": details})
        data, name = _run_state(state, data, child, context)
    return data


def _run_state(
    state: dict[str, Any], data: Any, child: dict[str, Any], context: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run one state and return its output and the name of the next state."""
    match state["Type"]:
        case "Task":
            return tuple(stepfunctions._execute_task(state, data, child, context))
        case "Choice":
            return tuple(stepfunctions._execute_choice(state, data, context))
        case "Pass":
            return tuple(stepfunctions._execute_pass(state, data, context))
        case "Fail":
            raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, data, context))
        case other:
            raise stepfunctions._ExecutionError("States.Runtime", f"Unknown state type: {other}")
