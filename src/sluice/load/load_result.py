"""What a load comes to: for the rows of a part, for a batch, and as the result of the function."""

import datetime
from dataclasses import dataclass, field

ItemKey = tuple[str, bytes]  # collection and key


@dataclass(frozen=True)
class RejectedLine:
    """A line that is a write, but that cannot be a row. `item` names its item by collection and key, if it has any."""

    line: int
    reason: str
    item: ItemKey | None = None


@dataclass
class ApplyResult:
    """What became of rows: changed an item, lost to a later version, or could not be taken."""

    applied: int = 0
    stale: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)


@dataclass
class BatchTotals:
    """What a batch came to. `oldest` is the first moment of acceptance, `newest` the greatest version."""

    applied: int = 0
    stale: int = 0
    unknown_fields: int = 0
    oldest_accepted_at: datetime.datetime | None = None
    newest_version: str = ""
    rejected: list[RejectedLine] = field(default_factory=list)


@dataclass
class LoadResult:
    """What a load came to. `lag_ms` is from the oldest write's acceptance to the commit."""

    key: str
    etag: str
    status: str
    applied: int = 0
    stale: int = 0
    rejected: int = 0
    unknown_fields: int = 0
    duration_ms: int = 0
    lag_ms: int = 0
