"""What of a local stack runs, and where."""

import pymysql

from local.cache import Cache
from local.database import Pair, Server
from local.process import LocalError
from local.stack.deploying import is_deployed
from local.stack.emulator import Emulator
from local.stack.folder import Folder
from local.stack.stack import Stack


def describe(folder: Folder) -> tuple[str, bool]:
    """A line for each part, and whether all of them run."""
    pair, emulator = Pair(folder.database), Emulator(folder)
    lines = [_server("primary", pair.primary), _server("replica", pair.replica)]
    cache = Cache(folder.cache, pair.ca.parent)
    lines.append(
        f"cache     {f'pid {cache.pid}, {cache.host}:{cache.port}' if cache.pid else 'stopped, or not wanted'}"
    )
    healthy = emulator.pid is not None and emulator.healthy()
    lines.append(f"emulator  {f'pid {emulator.pid}, {emulator.url}' if healthy else 'stopped'}")
    if pair.primary.pid and pair.replica.pid:
        lines.append(f"lag       {_lag(pair)}")
    deployed = healthy and is_deployed(emulator)
    lines.append(f"API       {Stack.load(folder.root).api_url if deployed else 'not deployed'}")
    lines.append(f"folder    {folder.root}")
    return "\n".join(lines), bool(deployed and pair.primary.pid and pair.replica.pid)


def _server(name: str, server: Server) -> str:
    if server.pid is None:
        return f"{name:9} stopped"
    return f"{name:9} pid {server.pid}, {server.host}:{server.port}"


def _lag(pair: Pair) -> str:
    try:
        return "the replica has everything" if pair.replica.caught_up() else "the replica is behind"
    except (LocalError, pymysql.Error) as error:
        return f"unknown: {error}"
