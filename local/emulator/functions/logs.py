"""Gap: every invocation creates a log stream, so the logs grow without limit and nobody can follow them.

As on AWS a stream belongs to an environment. It keeps its newest events only. What a function logs is also appended to
`<state>/logs/<function>.log`, which `tail -f` can follow.
"""

import contextlib
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

from local.emulator.functions.pool import last_invocation
from local.emulator.patching import replace_function

MAX_STREAM_EVENTS = 10_000

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
    lines = [
        f"START RequestId: {request_id} Version: {config.get('Version', '$LATEST')}",
        *log_text.splitlines(),
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tMemory Size: {config.get('MemorySize', 128)} MB",
    ]
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
    stream = _get_or_create_stream(group, stream_name)
    cloudwatch_logs._append_log_events(stream, events)
    del stream["events"][:-MAX_STREAM_EVENTS]
    cloudwatch_logs._fanout_to_subscription_filters(group, stream_name, events)
    if log_text:
        _append_to_file(name, log_text)


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
