"""What a replay is asked for."""

import datetime
from collections.abc import Collection
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.inputs import InvalidWindow, check_known, check_past, converted, text, without_starter

Moment = Annotated[datetime.datetime, Meta(tz=True)]


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
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
    def by_ledger(self) -> bool:
        """Whether what is loaded is entered in the ledger, and can be told from it afterwards."""
        return self.source == "batches" and not self.collections


def understood(given: Any, known: Collection[str], now: datetime.datetime) -> Request:
    """The request that an execution's input makes.

    Raises the errors of `sluice.inputs`.
    """
    request = converted(without_starter(given), Request, "replay")
    check_past((request.from_, request.to), now)
    if request.from_ and request.to and request.from_ >= request.to:
        raise InvalidWindow(
            f"The window ends ({text(request.to)}) before it begins ({text(request.from_)}). Swap them."
        )
    check_known(request.collections, known)
    if request.source == "archive":
        # The archive's objects are never in the ledger, so none of them can be told to be missing.
        request = msgspec.structs.replace(request, mode="all")
    return request
