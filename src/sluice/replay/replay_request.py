"""Parse the input of a replay, and turn its time window into a range of object keys."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.errors import InvalidWindow
from sluice.model.batch_keys import ABOVE_ALL_KEYS, CLOCK_SKEW, KEY_OVERLAP, SOURCE_PREFIXES, format_hour
from sluice.model.workflow_input import (
    check_collections,
    check_not_future,
    convert_input,
    format_time,
    strip_starter,
)

AwareTime = Annotated[datetime.datetime, Meta(tz=True)]


class ReplayRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A replay's input; each field is optional.

    `from` and `to` are arrival times (None: no limit). `collections` limits which writes are applied (empty: all).
    `mode` is `missing` (what the ledger lacks) or `all`. Objects that S3 got less than `min_age` seconds before the
    start are left to load_batch. `shadow` loads into the shadow tables of a rebuild.
    """

    from_: AwareTime | None = msgspec.field(default=None, name="from")
    to: AwareTime | None = None
    collections: tuple[str, ...] = ()
    source: Literal["batches", "archive"] = "batches"
    mode: Literal["missing", "all"] = "missing"
    dry_run: bool = False
    min_age: Annotated[int, Meta(ge=0)] = 0
    shadow: bool = False

    @property
    def uses_ledger(self) -> bool:
        """Whether loads of this replay are entered in the ledger, so that the ledger shows what remains."""
        return self.source == "batches" and not self.collections


def parse_replay_request(value: Any, collections: Collection[str], now: datetime.datetime) -> ReplayRequest:
    """Parse an execution's input. `collections` are the existing ones. Raises the input errors of `sluice.errors`."""
    request = convert_input(strip_starter(value), ReplayRequest, "replay")
    check_not_future((request.from_, request.to), now)
    if request.from_ and request.to and request.from_ >= request.to:
        raise InvalidWindow(
            f"The window ends ({format_time(request.to)}) before it begins ({format_time(request.from_)}). Swap them."
        )
    check_collections(request.collections, collections)
    if request.source == "archive":
        # The ledger never has objects of the archive, so it cannot show which of them are missing.
        request = msgspec.structs.replace(request, mode="all")
    return request


@dataclass(frozen=True)
class KeyRange:
    """The keys with a prefix, above `after` and not above `until`."""

    prefix: str
    after: str
    until: str


def compute_key_range(request: ReplayRequest) -> KeyRange:
    """The range of keys that contains every write which arrived in the request's window, and some others."""
    prefix = SOURCE_PREFIXES[request.source]
    after = f"{prefix}{format_hour(request.from_ - KEY_OVERLAP)}/" if request.from_ else ""
    last_hour = f"{format_hour(request.to + CLOCK_SKEW)}/" if request.to else ""
    return KeyRange(prefix, after, f"{prefix}{last_hour}{ABOVE_ALL_KEYS}")
