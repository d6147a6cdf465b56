"""Parse the input of a replay, and turn its time window into a range of object keys."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.errors import InvalidWindow
from sluice.model.batch_keys import ABOVE_ALL_KEYS, CLOCK_SKEW, KEY_OVERLAP, SOURCE_PREFIXES, format_hour
from sluice.model.workflow_input import check_collections, check_not_future, convert_input, format_time, strip_starter

Moment = Annotated[datetime.datetime, Meta(tz=True)]


class ReplayRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A replay's input; each field may be left out.

    `from` and `to` are arrival times (None: from the beginning, until now). `collections` narrows which writes are
    applied (empty: all). `mode` is `missing` (what the ledger lacks) or `all`. Objects that S3 got less than `min_age`
    seconds before the start are left to load_batch. `shadow` is a rebuild's: into the tables that it makes.
    """

    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    collections: tuple[str, ...] = ()
    source: Literal["batches", "archive"] = "batches"
    mode: Literal["missing", "all"] = "missing"
    dry_run: bool = False
    min_age: Annotated[int, Meta(ge=0)] = 0
    shadow: bool = False

    @property
    def uses_ledger(self) -> bool:
        """Whether what is loaded is entered in the ledger, and can be told from it afterwards."""
        return self.source == "batches" and not self.collections


def parse_replay_request(given: Any, known: Collection[str], now: datetime.datetime) -> ReplayRequest:
    """The request that an execution's input makes.

    Raises the errors of `sluice.model.workflow_input`.
    """
    request = convert_input(strip_starter(given), ReplayRequest, "replay")
    check_not_future((request.from_, request.to), now)
    if request.from_ and request.to and request.from_ >= request.to:
        raise InvalidWindow(
            f"The window ends ({format_time(request.to)}) before it begins ({format_time(request.from_)}). Swap them."
        )
    check_collections(request.collections, known)
    if request.source == "archive":
        # The archive's objects are never in the ledger, so none of them can be told to be missing.
        request = msgspec.structs.replace(request, mode="all")
    return request


@dataclass(frozen=True)
class KeyRange:
    """The keys above `after` and not above `until`, all with the prefix."""

    prefix: str
    after: str
    until: str


def compute_key_range(request: ReplayRequest) -> KeyRange:
    """The range of keys that holds every write which arrived in the request's window, and some that did not."""
    prefix = SOURCE_PREFIXES[request.source]
    after = f"{prefix}{format_hour(request.from_ - KEY_OVERLAP)}/" if request.from_ else ""
    until = (
        f"{prefix}{format_hour(request.to + CLOCK_SKEW)}/{ABOVE_ALL_KEYS}"
        if request.to
        else f"{prefix}{ABOVE_ALL_KEYS}"
    )
    return KeyRange(prefix, after, until)
