"""Disable the read cache of the deployed functions, and read how they used it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local.stack import Stack


@contextmanager
def without_cache(stack: Stack) -> Iterator[None]:
    """Remove the cache settings of the read function and the load function, as ReadCache=false does."""
    functions = stack.aws_client("lambda")
    names = [stack.outputs[name] for name in ("GetFunctionName", "LoadFunctionName")]
    before = {name: functions.get_function_configuration(FunctionName=name)["Environment"] for name in names}
    try:
        for name, environment in before.items():
            variables = environment["Variables"]
            remaining = {key: value for key, value in variables.items() if not key.startswith("CACHE_")}
            assert len(remaining) == len(variables) - 4
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": remaining})
        yield
    finally:
        for name, environment in before.items():
            functions.update_function_configuration(FunctionName=name, Environment=environment)


def read_get_log(stack: Stack, since: float) -> list[dict[str, object]]:
    """The log lines of the read function since a time, one for each read."""
    pages = stack.aws_client("logs").get_paginator("filter_log_events")
    group = stack.aws_client("lambda").get_function_configuration(FunctionName=stack.outputs["GetFunctionName"])
    messages = [
        event["message"]
        for page in pages.paginate(logGroupName=group["LoggingConfig"]["LogGroup"], startTime=int(since * 1000))
        for event in page["events"]
    ]
    return [json.loads(line) for line in messages if line.startswith("{") and '"get done"' in line]


def mark_log_time() -> float:
    """The current time, for `read_get_log`. Earlier log lines are not in the same millisecond."""
    time.sleep(0.005)
    return time.time()
