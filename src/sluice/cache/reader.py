"""Reading through the cache: what a replica showed is kept, and found again until a load withdraws it."""

import time
from collections.abc import Callable

from sluice.cache.entries import decode_entry, encode_entry, item_key, load_count_key
from sluice.cache.epoch import SELECT_EPOCH, Epoch
from sluice.cache.epoch import parse_epoch as generation_of
from sluice.cache.valkey_client import ValkeyClient
from sluice.errors import CacheUnavailable
from sluice.model.item_state import ItemAddress, ItemState
from sluice.observability import add_log_fields, add_metric

# For so many seconds a reader goes by the generation that the replica named; it bounds how long a reader that a load
# could not warn through the cache may go on.
EPOCH_TRUST_SECONDS = 1.0


# Keeps an entry (KEYS[2]) if its generation is open, if the replica it is from had seen every load that was announced
# (KEYS[1]), and if it is not older than the entry that is there.
_STORE_SCRIPT = """
local loads = redis.call('GET', KEYS[1])
if not loads or loads > ARGV[1] then return 0 end
local kept = redis.call('GET', KEYS[2])
if kept and string.sub(kept, 1, 26) > string.sub(ARGV[2], 1, 26) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""


class CacheReader:
    """The cache as a reading function sees it. Where the cache is away, nothing is found and nothing kept.

    `current` is the expression whose value `keep` is given.
    """

    epoch_query = SELECT_EPOCH

    def __init__(self, client: ValkeyClient, max_age_seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`seconds` is how long an entry is kept at the most."""
        self._client = client
        self._seconds = max_age_seconds
        self.clock = clock
        self._known: Epoch | None = None
        self._known_until = 0.0

    def read_item(self, address: ItemAddress) -> ItemState | None:
        """The state of an item that the cache has; None also when the replica must be asked for the generation."""
        known = self._known
        if known is None or self.clock() >= self._known_until:
            return None
        try:
            # The count is read along so that it is not among what was used least, and goes.
            [[_, entry]] = self._client.send_commands(
                ("MGET", load_count_key(known.name), item_key(known.name, address))
            )
        except CacheUnavailable as away:
            _report_unavailable(away)
            return None
        state = decode_entry(address, entry) if entry else None
        add_log_fields(cache="hit" if state else "miss")
        return state

    def store_item(self, address: ItemAddress, state: ItemState, row: str | None, asked_at: float) -> None:
        """Keep what a replica showed, with the row of `generation.CURRENT` that it showed in the same statement.

        `asked` is when it was asked, by `clock`.
        """
        self._known = generation_of(row) if row else None
        self._known_until = asked_at + EPOCH_TRUST_SECONDS
        if self._known is None:
            return
        name, loads = self._known
        keys = (load_count_key(name), item_key(name, address))
        try:
            self._client.send_commands(
                ("EVAL", _STORE_SCRIPT, "2", *keys, loads, encode_entry(address, state), str(self._seconds))
            )
        except CacheUnavailable as away:
            _report_unavailable(away)


def _report_unavailable(away: CacheUnavailable) -> None:
    add_log_fields(cache="away", cache_fault=str(away))
    add_metric("CacheUnavailable")
