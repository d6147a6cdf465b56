"""The cache as a reading function uses it: it stores what a replica showed, until a load invalidates the item."""

import time
from collections.abc import Callable

from sluice.cache.epoch import (
    SELECT_EPOCH,
    CacheEntry,
    Epoch,
    decode_entry,
    encode_entry,
    item_key,
    load_count_key,
    parse_epoch,
)
from sluice.cache.valkey_client import ValkeyClient, report_unavailable_cache
from sluice.errors import CacheUnavailable
from sluice.model.item_state import ItemAddress, ItemState
from sluice.observability import add_log_fields

# How long a reader uses the epoch that the replica named. A reader that cannot reach the cache of a load, and so does
# not see its invalidation, serves outdated entries for at most this long.
EPOCH_TRUST_SECONDS = 1.0

# Stores an entry (KEYS[2]) if its epoch exists, if its replica had seen every announced load (KEYS[1]), and if the
# cache has no later version.
_STORE_SCRIPT = """
local loads = redis.call('GET', KEYS[1])
if not loads or loads > ARGV[1] then return 0 end
local cached = redis.call('GET', KEYS[2])
if cached and string.sub(cached, 1, 26) > string.sub(ARGV[2], 1, 26) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""


class CacheReader:
    """Reads and stores items. While the cache is unavailable, it returns nothing and stores nothing.

    `epoch_query` is the query whose result `store_item` takes. Every state that `read_item` returns includes what was
    loaded by `moment`: such a load is in the replica that named the epoch. It invalidated its items, or started a new
    epoch, before its commit; and since then only replicas with the load could store entries. Another environment may
    have stored the entry from a replica that is ahead, so the state is that of the later moment: `moment` or the
    entry's.
    """

    epoch_query = SELECT_EPOCH

    def __init__(self, client: ValkeyClient, max_age_seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._max_age_seconds = max_age_seconds
        self.clock = clock
        self._epoch: Epoch | None = None
        self._epoch_expires_at = 0.0
        self.moment = ""

    def read_item(self, address: ItemAddress) -> CacheEntry | None:
        """Return the entry of an item, or None. Return None also if the epoch must be read from the replica."""
        epoch = self._epoch
        if epoch is None or self.clock() >= self._epoch_expires_at:
            return None
        try:
            # Reading the count too keeps it recently used, so that the cache does not evict it.
            [[_, encoded]] = self._client.send_commands(
                ("MGET", load_count_key(epoch.name), item_key(epoch.name, address))
            )
        except CacheUnavailable as error:
            report_unavailable_cache(error)
            return None
        entry = decode_entry(address, encoded) if encoded else None
        add_log_fields(cache="hit" if entry else "miss")
        return entry

    def store_item(
        self, address: ItemAddress, state: ItemState, epoch_value: str | None, asked_at: float, moment: str
    ) -> None:
        """Store a state that a replica showed, with the result of `epoch_query` from the same statement.

        `asked_at` is the time of that statement, by `clock`; `moment` is the moment that its result includes, or an
        empty text. The epoch of an earlier moment never replaces that of a later one, which another replica showed.
        """
        epoch = parse_epoch(epoch_value) if epoch_value else None
        if moment >= self.moment:
            self.moment, self._epoch = moment, epoch
            self._epoch_expires_at = asked_at + EPOCH_TRUST_SECONDS
        elif self._epoch is None or epoch is None or epoch.name != self._epoch.name:
            return  # the replica lags: another one has shown that its epoch is over
        if epoch is None:
            return
        name, load_count = epoch
        keys = (load_count_key(name), item_key(name, address))
        encoded = encode_entry(address, CacheEntry(state, moment))
        try:
            self._client.send_commands(
                ("EVAL", _STORE_SCRIPT, "2", *keys, load_count, encoded, str(self._max_age_seconds))
            )
        except CacheUnavailable as error:
            report_unavailable_cache(error)
