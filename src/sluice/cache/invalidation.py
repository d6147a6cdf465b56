"""What a load does to the cache before its commit: it announces itself, then invalidates every item that it touches.

After the announcement, only a replica that has this load can store entries. So no entry older than the load can
return, however far a replica lags. Nothing remains to be done after the commit, so a loader that dies leaves nothing
undone.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Protocol

from sluice.cache.epoch import Epoch, TouchedItems, load_count_key
from sluice.cache.valkey_client import Command, ValkeyClient, report_unavailable_cache
from sluice.errors import CacheUnavailable
from sluice.model.resource import Resource

# The longest that a load of any size waits for the cache.
INVALIDATION_TIMEOUT_SECONDS = 2.0
KEYS_PER_COMMAND, COMMANDS_PER_EXCHANGE = 1000, 10

# Starts the epoch's count (KEYS[1]) or increases it. A greater count in the cache means that the database was restored
# from a backup: the cache has seen loads that the database does not contain.
_ANNOUNCE_SCRIPT = """
local loads = redis.call('GET', KEYS[1])
if loads and loads > ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class EpochCounter(Protocol):
    """The row of `sluice.cache.epoch.EpochRow`."""

    def count_load(self) -> Epoch: ...
    def start_new_epoch(self) -> None: ...


class CacheInvalidator:
    """The cache as a loading function uses it."""

    def __init__(self, client: ValkeyClient, resources: Mapping[str, Resource]) -> None:
        self._client = client
        self._resources = resources

    def invalidate_items(self, epoch_row: EpochCounter, touched: TouchedItems) -> None:
        """Announce the load and invalidate its items. If the cache is unavailable, start a new epoch.

        Call this last before the commit. Raises what `epoch_row` raises.
        """
        epoch = epoch_row.count_load()
        try:
            self._invalidate_items(epoch, touched)
        except CacheUnavailable as error:
            epoch_row.start_new_epoch()
            report_unavailable_cache(error)

    def _invalidate_items(self, epoch: Epoch, touched: TouchedItems) -> None:
        deadline = time.monotonic() + INVALIDATION_TIMEOUT_SECONDS
        commands = _create_commands(epoch, touched.cache_keys(epoch.name, self._resources))
        [is_announced] = self._client.send_commands(next(commands))
        if not is_announced:
            raise CacheUnavailable("the cache has seen loads that the database does not contain")
        while batch := list(islice(commands, COMMANDS_PER_EXCHANGE)):
            if time.monotonic() > deadline:
                self._client.start_backoff()
                raise CacheUnavailable("the invalidation takes too long")
            self._client.send_commands(*batch)


def _create_commands(epoch: Epoch, keys: Iterator[str]) -> Iterator[Command]:
    yield ("EVAL", _ANNOUNCE_SCRIPT, "1", load_count_key(epoch.name), epoch.load_count)
    while batch := list(islice(keys, KEYS_PER_COMMAND)):
        yield ("UNLINK", *batch)
