"""What a load does to the cache, before its commit: it announces itself, then takes away every entry that it touches.

From the announcement on, only a replica that shows this load can fill the cache: so no entry that is older than the
load can come back, however far a replica is behind. After the commit there is nothing left to be done, and so nothing
that a loader that dies could leave undone.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Protocol

from sluice.cache.entries import TouchedItems, load_count_key
from sluice.cache.epoch import Epoch
from sluice.cache.valkey_client import Command, ValkeyClient
from sluice.errors import CacheUnavailable
from sluice.model.resource import Resource
from sluice.observability import add_log_fields, add_metric

# The most that a load waits for the cache, in seconds, whatever its size.
INVALIDATION_TIMEOUT_SECONDS = 2.0


KEYS_PER_COMMAND, COMMANDS_PER_EXCHANGE = 1000, 10


# Opens the generation (KEYS[1]) or moves it on. A count beyond ours is of a future that the database does not know: it
# was restored from a backup.
_ANNOUNCE_SCRIPT = """
local loads = redis.call('GET', KEYS[1])
if loads and loads > ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class EpochCounter(Protocol):
    """The row of `generation.Generations`."""

    def count_load(self) -> Epoch: ...
    def start_new_epoch(self) -> None: ...


class CacheInvalidator:
    """The cache as a loading function sees it."""

    def __init__(self, client: ValkeyClient, resources: Mapping[str, Resource]) -> None:
        self._client = client
        self._resources = resources

    def invalidate_items(self, row: EpochCounter, touched: TouchedItems) -> None:
        """Announce the load and withdraw what it touches; where that fails, begin another generation.

        The last thing before the commit. Raises what `row` raises.
        """
        generation = row.count_load()
        try:
            self._invalidate_items(generation, touched)
        except CacheUnavailable as away:
            row.start_new_epoch()
            add_log_fields(cache="away", cache_fault=str(away))
            add_metric("CacheUnavailable")

    def _invalidate_items(self, generation: Epoch, touched: TouchedItems) -> None:
        deadline = time.monotonic() + INVALIDATION_TIMEOUT_SECONDS
        commands = _create_commands(generation, touched.cache_keys(generation.name, self._resources))
        [opened] = self._client.send_commands(next(commands))
        if not opened:
            raise CacheUnavailable("the cache has seen loads that the database has not")
        while some := list(islice(commands, COMMANDS_PER_EXCHANGE)):
            if time.monotonic() > deadline:
                self._client.start_backoff()
                raise CacheUnavailable("it takes too long")
            self._client.send_commands(*some)


def _create_commands(generation: Epoch, keys: Iterator[str]) -> Iterator[Command]:
    yield ("EVAL", _ANNOUNCE_SCRIPT, "1", load_count_key(generation.name), generation.load_count)
    while some := list(islice(keys, KEYS_PER_COMMAND)):
        yield ("UNLINK", *some)
