"""What a load does to the cache, before its commit: it announces itself, then takes away every entry that it touches.

From the announcement on, only a replica that shows this load can fill the cache: so no entry that is older than the
load can come back, however far a replica is behind. After the commit there is nothing left to be done, and so nothing
that a loader that dies could leave undone.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Protocol

from sluice.cache.client import CacheAway, Client, Command
from sluice.cache.entries import loads_key
from sluice.cache.generation import Generation
from sluice.cache.touched import Touched
from sluice.observability import count, note
from sluice.resource import Resource

# The most that a load waits for the cache, in seconds, whatever its size.
PATIENCE = 2.0
KEYS_OF_A_COMMAND, COMMANDS_AT_ONCE = 1000, 10

# Opens the generation (KEYS[1]) or moves it on. A count beyond ours is of a future that the database does not know: it
# was restored from a backup.
_ANNOUNCE = """
local loads = redis.call('GET', KEYS[1])
if loads and loads > ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class Row(Protocol):
    """The row of `generation.Generations`."""

    def count(self) -> Generation: ...
    def renew(self) -> None: ...


class Withdrawal:
    """The cache as a loading function sees it."""

    def __init__(self, client: Client, resources: Mapping[str, Resource]) -> None:
        self._client = client
        self._resources = resources

    def withdraw(self, row: Row, touched: Touched) -> None:
        """Announce the load and withdraw what it touches; where that fails, begin another generation.

        The last thing before the commit. Raises what `row` raises.
        """
        generation = row.count()
        try:
            self._withdraw(generation, touched)
        except CacheAway as away:
            row.renew()
            note(cache="away", cache_fault=str(away))
            count("CacheAway")

    def _withdraw(self, generation: Generation, touched: Touched) -> None:
        deadline = time.monotonic() + PATIENCE
        commands = _commands(generation, touched.keys(generation.name, self._resources))
        [opened] = self._client.ask(next(commands))
        if not opened:
            raise CacheAway("the cache has seen loads that the database has not")
        while some := list(islice(commands, COMMANDS_AT_ONCE)):
            if time.monotonic() > deadline:
                self._client.rest()
                raise CacheAway("it takes too long")
            self._client.ask(*some)


def _commands(generation: Generation, keys: Iterator[str]) -> Iterator[Command]:
    yield ("EVAL", _ANNOUNCE, "1", loads_key(generation.name), generation.loads)
    while some := list(islice(keys, KEYS_OF_A_COMMAND)):
        yield ("UNLINK", *some)
