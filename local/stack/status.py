"""Report what runs in a local stack, and read its logs."""

import datetime
from pathlib import Path

import pymysql

from local.cache import CacheServer
from local.database import DatabasePair, DatabaseServer
from local.process import LocalError, read_tail
from local.stack.deployment import is_deployed
from local.stack.edge_process import EdgeProcess
from local.stack.emulator_process import EmulatorProcess
from local.stack.folder import StackFolder
from local.stack.stack import Stack


def describe_stack(folder: StackFolder) -> tuple[str, bool]:
    """A line for each part, and whether all of them run."""
    pair, emulator = DatabasePair(folder.database), EmulatorProcess(folder)
    lines = [_server("primary", pair.primary), _server("replica", pair.replica)]
    cache = CacheServer(folder.cache, pair.ca.parent)
    lines.append(
        f"cache     {f'pid {cache.pid}, {cache.host}:{cache.port}' if cache.pid else 'stopped, or not wanted'}"
    )
    healthy = emulator.pid is not None and emulator.is_healthy()
    lines.append(f"emulator  {f'pid {emulator.pid}, {emulator.url}' if healthy else 'stopped'}")
    edge = EdgeProcess(folder, emulator)
    problem = edge.get_problem() if healthy and edge.pid else "stopped"
    lines.append(f"edge      {problem or f'pid {edge.pid}, {edge.url}, before the API at {edge.stage_url}'}")
    if healthy and not problem and (lacking := edge.get_unenforced_rules()):
        lines.append(f"          without {lacking}")
    if pair.primary.pid and pair.replica.pid:
        lines.append(f"lag       {_lag(pair)}")
    deployed = healthy and not problem and is_deployed(emulator)
    lines.append(f"API       {Stack.load(folder.root).api_url if deployed else 'not deployed'}")
    lines.append(f"folder    {folder.root}")
    return "\n".join(lines), bool(deployed and pair.primary.pid and pair.replica.pid)


def _server(name: str, server: DatabaseServer) -> str:
    if server.pid is None:
        return f"{name:9} stopped"
    return f"{name:9} pid {server.pid}, {server.host}:{server.port}"


def _lag(pair: DatabasePair) -> str:
    try:
        return "the replica has everything" if pair.replica.has_caught_up() else "the replica is behind"
    except (LocalError, pymysql.Error) as error:
        return f"unknown: {error}"


def list_log_files(folder: StackFolder) -> dict[str, Path]:
    """Every log file by its short name."""
    return {
        **{name: folder.log_path(name) for name in ("emulator", "build", "deploy")},
        **{name: folder.database / name / "server.log" for name in ("primary", "replica")},
    }


def read_last_lines(folder: StackFolder, name: str, lines: int) -> str:
    """The end of a log file, or of a function's log by its short name (`Put`). Raises LocalError."""
    files = list_log_files(folder)
    if name in files:
        return read_tail(files[name], lines)
    stack = Stack.load(folder.root)
    function = stack.outputs.get(f"{name}FunctionName")
    if function is None:
        raise LocalError(f"There is no log {name}; there are: {', '.join(files)}, and the functions by short name.")
    return _function_lines(stack, function, lines)


def _function_lines(stack: Stack, function: str, lines: int) -> str:
    logs = stack.aws_client("logs")
    configured = stack.aws_client("lambda").get_function_configuration(FunctionName=function)
    group = configured.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return ""
    return "\n".join(f"{_clock(event['timestamp'])} {event['message'].rstrip()}" for event in events[-lines:])


def _clock(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
