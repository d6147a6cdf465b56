"""One run of a Distributed Map: its record, its children, when it is over."""

import contextvars
import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.core.responses import new_uuid, now_iso
from ministack.services import stepfunctions

from local.emulator.child_states import walk

_COUNTS = (
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


class MapRun:
    """One run of a Distributed Map: each item is the input of a child execution."""

    def __init__(self, state: dict[str, Any], effective: Any, execution: dict[str, Any], items: list[Any]) -> None:
        _, _, _, region, account, _, machine, *_ = execution["stateMachineArn"].split(":")
        label, self.id = state.get("Label") or new_uuid(), new_uuid()
        self._machine = f"arn:aws:states:{region}:{account}:stateMachine:{machine}/{label}"
        self._children_arn = f"arn:aws:states:{region}:{account}:execution:{machine}/{label}"
        self.arn = f"arn:aws:states:{region}:{account}:mapRun:{machine}/{label}:{self.id}"
        self.state, self.effective, self._execution, self.items = state, effective, execution, items
        self._at_once = int(self._field("MaxConcurrency") or 0) or max(1, min(len(items), 64))
        self._lock = threading.Lock()
        self.children: list[dict[str, Any] | None] = [None] * len(items)
        counts = {**dict.fromkeys(_COUNTS, 0), "total": len(items), "pending": len(items)}
        self.record = {
            "mapRunArn": self.arn,
            "executionArn": execution["executionArn"],
            "status": "RUNNING",
            "startDate": now_iso(),
            "maxConcurrency": int(self._field("MaxConcurrency") or 0),
            "toleratedFailurePercentage": float(self._field("ToleratedFailurePercentage") or 0),
            "toleratedFailureCount": int(self._field("ToleratedFailureCount") or 0),
            "itemCounts": counts,
            "executionCounts": dict(counts),
            "redriveCount": 0,
            "_stateMachineArn": self._machine,
        }
        stepfunctions._map_runs[self.arn] = self.record

    def _field(self, name: str) -> Any:
        path = self.state.get(f"{name}Path")
        return stepfunctions._resolve_path(path, self.effective) if path else self.state.get(name)

    def run(self, processor: dict[str, Any], ctx: dict[str, Any]) -> list[Any]:
        """The children's outputs in the order of the items. Raises an _ExecutionError when the run fails."""
        with ThreadPoolExecutor(self._at_once) as pool:
            for index in range(len(self.items)):
                pool.submit(contextvars.copy_context().run, self._child, index, processor, copy.deepcopy(ctx))
        self.record["stopDate"] = now_iso()
        if self._execution["status"] != "RUNNING":
            raise stepfunctions._ExecutionError("States.Runtime", "The execution was stopped.")
        if self.record["status"] == "FAILED":
            message = "The specified tolerated failure threshold was exceeded"
            raise stepfunctions._ExecutionError("States.ExceedToleratedFailureThreshold", message)
        self.record["status"] = "SUCCEEDED"
        return [json.loads(child["output"]) for child in self.children if child and child["status"] == "SUCCEEDED"]

    def _child(self, index: int, processor: dict[str, Any], ctx: dict[str, Any]) -> None:
        with self._lock:
            if self.record["status"] != "RUNNING":
                return
            child = self.children[index] = self._begun(index, ctx)
            self._count("pending", "running")
        try:
            given = json.loads(child["input"])
            output = walk(processor, given, child, ctx)
            ended = {"status": "SUCCEEDED", "output": json.dumps(output)}
        except stepfunctions._ExecutionError as error:
            ended = {"status": "FAILED", "error": error.error, "cause": error.cause}
        with self._lock:
            aborted = child["status"] != "RUNNING"
            child.update({} if aborted else ended, stopDate=now_iso())
            self._count("running", child["status"].lower())
            if self.record["status"] == "RUNNING" and self._too_many():
                self.record["status"] = "FAILED"
                self._abort()

    def _begun(self, index: int, ctx: dict[str, Any]) -> dict[str, Any]:
        item = self.items[index]
        ctx["Map"] = {"Item": {"Index": index, "Value": item}}
        selector, name = self.state.get("ItemSelector"), new_uuid()
        given = stepfunctions._resolve_params_obj(selector, self.effective, ctx) if selector else item
        child = {
            "executionArn": f"{self._children_arn}:{name}",
            "stateMachineArn": self._machine,
            "mapRunArn": self.arn,
            "name": name,
            "status": "RUNNING",
            "startDate": now_iso(),
            "stopDate": None,
            "input": json.dumps(given),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "events": [],
            "testCase": self._execution.get("testCase"),
            "mockAttempts": {},
        }
        stepfunctions._executions[child["executionArn"]] = child
        return child

    def _count(self, before: str, after: str) -> None:
        for counts in (self.record["itemCounts"], self.record["executionCounts"]):
            counts[before] -= 1
            counts[after] += 1

    def _too_many(self) -> bool:
        failed = self.record["itemCounts"]["failed"]
        limits = []
        if (count := self._field("ToleratedFailureCount")) is not None:
            limits.append(failed > int(count))
        if (share := self._field("ToleratedFailurePercentage")) is not None:
            limits.append(failed * 100 > float(share) * len(self.items))
        return any(limits) if limits else failed > 0

    def stop(self) -> None:
        """End the run with its execution."""
        with self._lock:
            if self.record["status"] == "RUNNING":
                self.record["status"] = "ABORTED"
                self._abort()

    def _abort(self) -> None:
        """Stop the children that run, as soon as they look up."""
        for child in self.children:
            if child and child["status"] == "RUNNING":
                child["status"] = "ABORTED"
