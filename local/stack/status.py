"""Report what runs in a local stack, and read its logs."""

import datetime
from pathlib import Path

import pymysql

from local.cache import CacheServer
from local.database import DatabaseServer, DatabaseServers
from local.process import LocalError, read_tail
from local.stack.deployment import is_deployed
from local.stack.folder import StackFolder
from local.stack.services import EdgeProcess, EmulatorProcess
from local.stack.stack import Stack


def describe_stack(folder: StackFolder) -> tuple[str, bool]:
    """A line for each part, and whether the whole stack runs."""
    servers, emulator = DatabaseServers(folder.database), EmulatorProcess(folder)
    edge, cache = EdgeProcess(folder, emulator), CacheServer(folder.cache, servers.ca.parent)
    healthy = emulator.pid is not None and emulator.is_healthy()
    problem = edge.get_problem() if healthy and edge.pid else "stopped"
    deployed = healthy and not problem and is_deployed(emulator)
    lines = [
        *(_describe_server(server) for server in servers.all),
        f"cache     {f'pid {cache.pid}, {cache.host}:{cache.port}' if cache.pid else 'stopped, or not configured'}",
        f"emulator  {f'pid {emulator.pid}, {emulator.url}' if healthy else 'stopped'}",
        f"edge      {problem or f'pid {edge.pid}, {edge.url}, in front of the API at {edge.stage_url}'}",
    ]
    if healthy and not problem and (unenforced := edge.get_unenforced_rules()):
        lines.append(f"          does not enforce {unenforced}")
    if has_databases := all(server.pid for server in servers.all):
        lines.append(f"lag       {_describe_lag(servers)}")
    lines.append(f"API       {Stack.load(folder.root).api_url if deployed else 'not deployed'}")
    lines.append(f"folder    {folder.root}")
    return "\n".join(lines), deployed and has_databases


def _describe_server(server: DatabaseServer) -> str:
    name = server.directory.name
    if server.pid is None:
        return f"{name:9} stopped"
    return f"{name:9} pid {server.pid}, {server.host}:{server.port}"


def _describe_lag(servers: DatabaseServers) -> str:
    try:
        lagging = [replica.directory.name for replica in servers.replicas if not replica.has_caught_up()]
    except (LocalError, pymysql.Error) as error:
        return f"unknown: {error}"
    return ", ".join(lagging) if lagging else "none: every replica is current"


def list_log_files(folder: StackFolder) -> dict[str, Path]:
    """Every log file by its short name."""
    return {
        **{name: folder.log_path(name) for name in ("emulator", "build", "deploy")},
        **{server.directory.name: server.log for server in DatabaseServers(folder.database).all},
    }


def read_last_lines(folder: StackFolder, name: str, lines: int) -> str:
    """The end of a log file, or of the log of a function by its short name (`Put`). Raises LocalError."""
    files = list_log_files(folder)
    if name in files:
        return read_tail(files[name], lines)
    stack = Stack.load(folder.root)
    function = stack.outputs.get(f"{name}FunctionName")
    if function is None:
        raise LocalError(f"There is no log {name}; there are: {', '.join(files)}, and the functions by short name.")
    return _read_function_log(stack, function, lines)


def _read_function_log(stack: Stack, function: str, lines: int) -> str:
    logs = stack.aws_client("logs")
    configuration = stack.aws_client("lambda").get_function_configuration(FunctionName=function)
    group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return ""
    return "\n".join(f"{_format_time(event['timestamp'])} {event['message'].rstrip()}" for event in events[-lines:])


def _format_time(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
