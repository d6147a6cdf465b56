"""Reading through the cache: what a replica showed is kept, and found again until a load withdraws it."""

import time
from collections.abc import Callable

from sluice.cache.client import CacheAway, Client
from sluice.cache.entries import key_of, loads_key, read, written
from sluice.cache.generation import CURRENT, Generation
from sluice.cache.generation import read as generation_of
from sluice.observability import count, note
from sluice.states import Address, ItemState

# For so many seconds a reader goes by the generation that the replica named; it bounds how long a reader that a load
# could not warn through the cache may go on.
TRUST = 1.0

# Keeps an entry (KEYS[2]) if its generation is open, if the replica it is from had seen every load that was announced
# (KEYS[1]), and if it is not older than the entry that is there.
_KEEP = """
local loads = redis.call('GET', KEYS[1])
if not loads or loads > ARGV[1] then return 0 end
local kept = redis.call('GET', KEYS[2])
if kept and string.sub(kept, 1, 26) > string.sub(ARGV[2], 1, 26) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""


class Lookup:
    """The cache as a reading function sees it. Where the cache is away, nothing is found and nothing kept.

    `current` is the expression whose value `keep` is given.
    """

    current = CURRENT

    def __init__(self, client: Client, seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`seconds` is how long an entry is kept at the most."""
        self._client = client
        self._seconds = seconds
        self.clock = clock
        self._known: Generation | None = None
        self._known_until = 0.0

    def find(self, address: Address) -> ItemState | None:
        """The state of an item that the cache has; None also when the replica must be asked for the generation."""
        known = self._known
        if known is None or self.clock() >= self._known_until:
            return None
        try:
            # The count is read along so that it is not among what was used least, and goes.
            [[_, entry]] = self._client.ask(("MGET", loads_key(known.name), key_of(known.name, address)))
        except CacheAway as away:
            _away(away)
            return None
        state = read(address, entry) if entry else None
        note(cache="hit" if state else "miss")
        return state

    def keep(self, address: Address, state: ItemState, row: str | None, asked: float) -> None:
        """Keep what a replica showed, with the row of `generation.CURRENT` that it showed in the same statement.

        `asked` is when it was asked, by `clock`.
        """
        self._known = generation_of(row) if row else None
        self._known_until = asked + TRUST
        if self._known is None:
            return
        name, loads = self._known
        keys = (loads_key(name), key_of(name, address))
        try:
            self._client.ask(("EVAL", _KEEP, "2", *keys, loads, written(address, state), str(self._seconds)))
        except CacheAway as away:
            _away(away)


def _away(away: CacheAway) -> None:
    note(cache="away", cache_fault=str(away))
    count("CacheAway")
