"""Gaps in the Distributed Map of Step Functions.

- It writes no results to S3, and does not read its concurrency and its failure threshold from its input.
- It processes all items even after too many have failed or its execution was stopped.
- Its failures are not in the history.
"""

import json
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from local.emulator.firehose import ministack
from local.emulator.patching import replace_function
from local.emulator.workflows.map_run import MapRun

_original = SimpleNamespace()
_runs: dict[str, list[MapRun]] = {}


def _run_distributed_map(*arguments: Any) -> tuple[Any, str | None]:
    execution = arguments[4]
    stepfunctions._add_event(execution, "MapRunStarted")
    try:
        return _run_map_state(*arguments)
    except stepfunctions._ExecutionError as error:
        details = {"error": error.error, "cause": error.cause}
        stepfunctions._add_event(execution, "MapRunFailed", {"mapRunFailedEventDetails": details})
        raise


def _run_map_state(  # noqa: PLR0913, PLR0917 - the signature is MiniStack's
    state: dict[str, Any],
    raw_input: Any,
    effective_input: Any,
    processor: dict[str, Any],
    execution: dict[str, Any],
    context: dict[str, Any],
) -> tuple[Any, str | None]:
    """Run the items and return the output of the state and the name of the next one."""
    if "ItemReader" in state:
        items = stepfunctions._read_map_items(state["ItemReader"], effective_input, context)
    else:
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective_input, context)
    run = MapRun(state, effective_input, execution, items)
    _runs.setdefault(execution["executionArn"], []).append(run)
    try:
        result: Any = run.run(processor, context)
    except stepfunctions._ExecutionError:
        if "ResultWriter" in state and execution["status"] == "RUNNING":
            _write_results(run)
        raise
    if "ResultWriter" in state:
        result = _write_results(run)
    output = stepfunctions._apply_result_path(state, raw_input, stepfunctions._apply_result_selector(state, result))
    return stepfunctions._apply_output_path(state, output, context), stepfunctions._next_or_end(state)


def _write_results(run: MapRun) -> dict[str, Any]:
    """Write a file of results per status and a manifest to S3, and return the result of the state."""
    writer = stepfunctions._resolve_params_obj(run.state["ResultWriter"]["Parameters"], run.effective_input, {})
    bucket, folder = writer["Bucket"], "/".join(filter(None, (writer.get("Prefix", "").rstrip("/"), run.id)))
    by_status: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for item, child in zip(run.items, run.children, strict=True):
        status = "PENDING" if not child else "SUCCEEDED" if child["status"] == "SUCCEEDED" else "FAILED"
        by_status[status].append(_build_result(child) if child else {"Input": json.dumps(item), "Status": "PENDING"})
    files = {
        status: _put_result_files(bucket, f"{folder}/{status}_0.json", results) for status, results in by_status.items()
    }
    manifest = {"DestinationBucket": bucket, "MapRunArn": run.arn, "ResultFiles": files}
    _put_json(bucket, f"{folder}/manifest.json", manifest)
    return {"MapRunArn": run.arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


def _build_result(child: dict[str, Any]) -> dict[str, Any]:
    names = ("executionArn", "input", "name", "output", "startDate", "stateMachineArn", "status", "stopDate")
    result = {f"{name[0].upper()}{name[1:]}": child[name] for name in names if child.get(name) is not None}
    if child["status"] != "SUCCEEDED":
        result |= {"Error": child.get("error", "States.Aborted"), "Cause": child.get("cause", "")}
    return {**result, "InputDetails": {"Included": True}, "OutputDetails": {"Included": True}, "RedriveCount": 0}


def _put_result_files(bucket: str, key: str, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Key": key, "Size": _put_json(bucket, key, results)}] if results else []


def _put_json(bucket: str, key: str, content: Any) -> int:
    """Put an object and return its size in bytes."""
    body = json.dumps(content).encode()
    try:
        ministack.put_object(get_account_id(), get_region(), bucket, key, body)
    except ministack.PutFailedError as error:
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", f"{key}: {error}") from None
    return len(body)


def _stop_execution(data: dict[str, Any]) -> Any:
    response = _original.stop_execution(data)
    for run in _runs.get(data.get("executionArn", ""), []):
        run.stop()
    return response


def patch() -> None:
    replace_function(stepfunctions, "_run_distributed_map", "2b77d3ec0e04", _run_distributed_map)
    _original.stop_execution = replace_function(stepfunctions, "_stop_execution", "44d2d84ccd5c", _stop_execution)
