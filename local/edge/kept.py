"""What CloudFront keeps: answers by their keys, the least used of them dropped first."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from local.edge.messages import Response

ENTRIES = 5_000
LARGEST = 2 * 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """Times are seconds since the epoch."""

    answer: Response
    since: float
    """When the origin gave it, or confirmed it last."""
    until: float
    """How long it is fresh."""
    stale_until: float
    """How long it may be given while the origin has no answer."""

    def fresh(self, now: float) -> bool:
        return now < self.until

    def usable(self, now: float) -> bool:
        return now < self.stale_until

    def age(self, now: float) -> tuple[str, str]:
        return "age", str(int(now - self.since))


class Kept:
    """Errors are kept apart from what they are errors of: they do not take its place."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()

    def get(self, key: Hashable) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, entry: Entry) -> None:
        if len(entry.answer.body) > LARGEST:
            return
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > ENTRIES:
            self._entries.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        self._entries.pop(key, None)
