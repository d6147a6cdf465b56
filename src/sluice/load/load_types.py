"""The modes of a load and the results of its steps."""

import datetime
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Literal

# What a load does with the ledger. `once`: it loads a batch only if the ledger lacks it, and enters it. `reload`: it
# loads the batch in any case, and enters it. `bypass`: it neither reads nor writes the ledger, because the object is
# not a complete batch.
LedgerMode = Literal["once", "reload", "bypass"]


class LoadMode(Flag):
    """How a load runs. Every load starts FAST; when a batch requires another mode, the load starts over with it.

    STRICT: the strict engine handles each line by itself and rejects single writes. It always holds the lock
    exclusively. EXCLUSIVE: no other load runs at the same time. FILTERED: the load skips excluded writes.
    """

    FAST = 0
    STRICT = auto()
    EXCLUSIVE = auto()
    FILTERED = auto()


ItemKey = tuple[str, bytes]  # the collection, and the key within it


@dataclass(frozen=True)
class RejectedLine:
    """A line that is a write but cannot become a row. `line` counts from 1; `item` is None when it has no valid key."""

    line: int
    reason: str
    item: ItemKey | None = None


@dataclass
class ApplyResult:
    """What happened to rows: they changed an item, were older than the stored version, or were rejected."""

    applied: int = 0
    stale: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)


@dataclass
class BatchTotals:
    """The totals of a batch. `oldest_accepted_at` is the earliest time of acceptance.

    `request_ids` names the requests of the batch's writes, `rejected_request_ids` those of the rejected ones.
    """

    applied: int = 0
    stale: int = 0
    unknown_fields: int = 0
    oldest_accepted_at: datetime.datetime | None = None
    newest_version: str = ""
    rejected: list[RejectedLine] = field(default_factory=list)
    request_ids: set[str] = field(default_factory=set)
    rejected_request_ids: set[str] = field(default_factory=set)

    def include_acceptance(self, accepted_at: datetime.datetime | None) -> None:
        """Keep the earlier of the oldest time so far and this one. None: a part without writes has no time."""
        if accepted_at and (self.oldest_accepted_at is None or accepted_at < self.oldest_accepted_at):
            self.oldest_accepted_at = accepted_at


@dataclass
class LoadResult:
    """The result of a load, as the function returns it.

    `status` is `loaded` or `already_loaded`. `lag_ms` lasts from the acceptance of the oldest write to the commit.
    """

    key: str
    etag: str
    status: str
    applied: int = 0
    stale: int = 0
    rejected: int = 0
    unknown_fields: int = 0
    duration_ms: int = 0
    lag_ms: int = 0
