"""Records held until they are enough, or old enough."""

from collections import deque
from collections.abc import Iterable

from local.emulator.firehose.settings import Hints
from local.emulator.firehose.spool import Record


class Buffer:
    """Not locked: its stream holds the lock."""

    def __init__(self) -> None:
        self._held: deque[tuple[float, Record]] = deque()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, records: Iterable[Record], now: float) -> None:
        """`now` is a monotonic time in seconds, here and below."""
        for record in records:
            self._held.append((now, record))
            self._size += len(record.data)

    def take(self, hints: Hints, now: float, *, everything: bool) -> list[list[Record]]:
        """The groups of records that are full or due; each makes one object, or one call of the transform."""
        groups = []
        while self._held and self._size >= hints.size:
            groups.append(self._group(hints.size))
        if self._held and (everything or now - self._held[0][0] >= hints.seconds):
            groups.append(self._group(None))
        return groups

    def clear(self) -> None:
        self._held.clear()
        self._size = 0

    def _group(self, size: int | None) -> list[Record]:
        group, taken = [], 0
        while self._held and (size is None or taken < size):
            record = self._held.popleft()[1]
            group.append(record)
            taken += len(record.data)
        self._size -= taken
        return group
