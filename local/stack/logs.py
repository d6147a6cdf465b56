"""Where the logs of the local stack are, and their last lines."""

import datetime
from pathlib import Path

from local.process import LocalError, tail
from local.stack.folder import Folder
from local.stack.stack import Stack


def log_files(folder: Folder) -> dict[str, Path]:
    """Every log file by its short name."""
    return {
        **{name: folder.log(name) for name in ("emulator", "build", "deploy")},
        **{name: folder.database / name / "server.log" for name in ("primary", "replica")},
    }


def last_lines(folder: Folder, name: str, lines: int) -> str:
    """The end of a log file, or of a function's log by its short name (`Put`). Raises LocalError."""
    files = log_files(folder)
    if name in files:
        return tail(files[name], lines)
    stack = Stack.load(folder.root)
    function = stack.outputs.get(f"{name}FunctionName")
    if function is None:
        raise LocalError(f"There is no log {name}; there are: {', '.join(files)}, and the functions by short name.")
    return _function_lines(stack, function, lines)


def _function_lines(stack: Stack, function: str, lines: int) -> str:
    logs = stack.boto("logs")
    configured = stack.boto("lambda").get_function_configuration(FunctionName=function)
    group = configured.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return ""
    return "\n".join(f"{_clock(event['timestamp'])} {event['message'].rstrip()}" for event in events[-lines:])


def _clock(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
