"""The deployed functions with their read cache, or as ReadCache=false deploys them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local.stack import Stack


@contextmanager
def without_cache(stack: Stack) -> Iterator[None]:
    """While the functions that read and load are told of no cache."""
    functions = stack.aws_client("lambda")
    names = [stack.outputs[name] for name in ("GetFunctionName", "LoadFunctionName")]
    before = {name: functions.get_function_configuration(FunctionName=name)["Environment"] for name in names}
    try:
        for name, environment in before.items():
            variables = environment["Variables"]
            kept = {one: value for one, value in variables.items() if not one.startswith("CACHE_")}
            assert len(kept) == len(variables) - 4
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": kept})
        yield
    finally:
        for name, environment in before.items():
            functions.update_function_configuration(FunctionName=name, Environment=environment)


def read_get_log(stack: Stack, since: float) -> list[dict[str, object]]:
    """What the reading function has logged since a moment, a line for each read."""
    pages = stack.aws_client("logs").get_paginator("filter_log_events")
    group = stack.aws_client("lambda").get_function_configuration(FunctionName=stack.outputs["GetFunctionName"])
    found = [
        event["message"]
        for page in pages.paginate(logGroupName=group["LoggingConfig"]["LogGroup"], startTime=int(since * 1000))
        for event in page["events"]
    ]
    return [json.loads(line) for line in found if line.startswith("{") and '"get done"' in line]


def mark_log_time() -> float:
    """A moment for `lines`: what was logged before it is not in the same millisecond."""
    time.sleep(0.005)
    return time.time()
