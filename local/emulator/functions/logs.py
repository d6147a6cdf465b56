"""Gaps in what happens to the lines of a function.

- Every invocation creates a log stream, so the logs grow without limit and nobody can follow them.
- The application log level is stored and ignored. On AWS, lines below it are dropped.
- Metrics in the embedded metric format (EMF) stay lines. On AWS, CloudWatch extracts them.
- A missing log group is always created, even after the function's deletion. On AWS, Lambda creates it with the
  credentials of the function's role (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html).

As on AWS a stream belongs to an environment. It keeps its newest events only. What a function logs is also appended to
`<state>/logs/<function>.log`, which `tail -f` can follow.
"""

import contextlib
import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core.iam_evaluator import EvalContext, _gather_role_policies, evaluate
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch_logs, iam, lambda_svc

from local.emulator.cloudwatch import embedded_metrics
from local.emulator.functions.pool import last_invocation
from local.emulator.functions.worker import DEFAULT_LOG_LEVEL, read_log_level
from local.emulator.patching import replace_function

MAX_STREAM_EVENTS = 10_000

# From the most to the least detailed.
LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

_original = SimpleNamespace()


def _emit_logs(  # noqa: PLR0913 - the signature is MiniStack's
    func: dict[str, Any],
    request_id: str,
    log_text: str,
    error: bool,
    duration_ms: int,
    *,
    log_source: str | None = None,
) -> None:
    stream_name = getattr(last_invocation, "log_stream", None)
    last_invocation.log_stream = None
    if stream_name is None or log_source is not None:
        _original.emit_logs(func, request_id, log_text, error, duration_ms, log_source=log_source)
        return
    config = func.get("config") or func
    name = config["FunctionName"]
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    remaining = _drop_lines_below_level(log_text.splitlines(), read_log_level(config))
    lines = [
        f"START RequestId: {request_id} Version: {config.get('Version', '$LATEST')}",
        *remaining,
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tMemory Size: {config.get('MemorySize', 128)} MB",
    ]
    if group in cloudwatch_logs._log_groups or _may_create_group(config, group):
        append_lines(group, stream_name, lines)
        for line in remaining:
            embedded_metrics.store_metrics(_parse_object(line))
    if remaining:
        _append_to_file(name, "\n".join(remaining))


def _drop_lines_below_level(lines: list[str], lowest: str | None) -> list[str]:
    if lowest is None:
        return lines
    return [line for line in lines if LEVELS.index(_read_level(line)) >= LEVELS.index(lowest)]


def _read_level(line: str) -> str:
    """Return the level that Lambda gives a line: INFO unless it is JSON with a valid level and timestamp."""
    parsed = _parse_object(line)
    level = str(parsed.get("level", "")).upper()
    is_dated = _RFC_3339.fullmatch(str(parsed.get("timestamp", parsed.get("time", ""))))
    return level if level in LEVELS and is_dated else DEFAULT_LOG_LEVEL


def _parse_object(line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _may_create_group(config: dict[str, Any], group: str) -> bool:
    """Whether the role of the function allows it. A role that does not exist does while the function exists."""
    arn, account = config.get("Role", ""), get_account_id()
    role = arn.rpartition("/")[2]
    if iam._roles.get_scoped(account, None, role) is None:
        return config["FunctionName"] in lambda_svc._functions
    resource = cloudwatch_logs._make_group_arn(group)
    context = EvalContext(arn, "AssumedRole", account, "logs:CreateLogGroup", resource, get_region())
    return bool(evaluate(context, _gather_role_policies(role, account)).decision == "Allow")


def append_lines(group: str, stream_name: str, lines: list[str]) -> None:
    """Append lines to a log stream, which is created if it does not exist."""
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
    stream = _get_or_create_stream(group, stream_name)
    cloudwatch_logs._append_log_events(stream, events)
    del stream["events"][:-MAX_STREAM_EVENTS]
    cloudwatch_logs._fanout_to_subscription_filters(group, stream_name, events)


def _get_or_create_stream(group: str, name: str) -> dict[str, Any]:
    now = int(time.time() * 1000)
    groups = cloudwatch_logs._log_groups
    if group not in groups:
        groups[group] = {
            "arn": cloudwatch_logs._make_group_arn(group),
            "creationTime": now,
            "retentionInDays": None,
            "tags": {},
            "subscriptionFilters": {},
            "streams": {},
        }
    streams: dict[str, Any] = groups[group]["streams"]
    if name not in streams:
        streams[name] = {
            "events": [],
            "uploadSequenceToken": "1",
            "creationTime": now,
            "firstEventTimestamp": None,
            "lastEventTimestamp": None,
            "lastIngestionTime": None,
        }
    return streams[name]  # type: ignore[no-any-return]


def _append_to_file(name: str, text: str) -> None:
    # A full disk must not fail an invocation.
    with contextlib.suppress(OSError), Path(os.environ["FUNCTION_LOGS"], f"{name}.log").open("a") as file:
        file.write(text + "\n")


def patch() -> None:
    _original.emit_logs = replace_function(lambda_svc, "_emit_lambda_logs", "111efbf06968", _emit_logs)
