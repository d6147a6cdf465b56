"""Gap: a Distributed Map wrote no results into S3 and took neither its concurrency nor its threshold from its input. It
also went on through all of its items after too many had failed, or after its execution had been stopped, and its
failures were not in the history.
"""

from types import SimpleNamespace
from typing import Any

from ministack.services import stepfunctions

from local.emulator import map_results
from local.emulator.expectation import replace
from local.emulator.map_run import MapRun

_before = SimpleNamespace()
_runs: dict[str, list[MapRun]] = {}


def _run_distributed_map(*given: Any) -> tuple[Any, str | None]:
    execution = given[4]
    stepfunctions._add_event(execution, "MapRunStarted")
    try:
        return _done(*given)
    except stepfunctions._ExecutionError as error:
        details = {"error": error.error, "cause": error.cause}
        stepfunctions._add_event(execution, "MapRunFailed", {"mapRunFailedEventDetails": details})
        raise


def _done(*given: Any) -> tuple[Any, str | None]:
    state, raw_input, effective, processor, execution, ctx = given
    if "ItemReader" in state:
        items = stepfunctions._read_map_items(state["ItemReader"], effective, ctx)
    else:
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, ctx)
    run = MapRun(state, effective, execution, items)
    _runs.setdefault(execution["executionArn"], []).append(run)
    try:
        result: Any = run.run(processor, ctx)
    except stepfunctions._ExecutionError:
        if "ResultWriter" in state and execution["status"] == "RUNNING":
            map_results.write(run)
        raise
    if "ResultWriter" in state:
        result = map_results.write(run)
    output = stepfunctions._apply_result_path(state, raw_input, stepfunctions._apply_result_selector(state, result))
    return stepfunctions._apply_output_path(state, output, ctx), stepfunctions._next_or_end(state)


def _stop_execution(data: dict[str, Any]) -> Any:
    response = _before.stop_execution(data)
    for run in _runs.get(data.get("executionArn", ""), []):
        run.stop()
    return response


def patch() -> None:
    replace(stepfunctions, "_run_distributed_map", "2b77d3ec0e04", _run_distributed_map)
    _before.stop_execution = replace(stepfunctions, "_stop_execution", "44d2d84ccd5c", _stop_execution)
