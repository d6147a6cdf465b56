"""What a rebuild is asked for."""

import datetime
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.exclusions import Exclusion, Rule
from sluice.inputs import InvalidInput, InvalidWindow, check_known, check_past, converted, text, without_starter
from sluice.versions import is_version

Moment = Annotated[datetime.datetime, Meta(tz=True)]
# The state has them twice, and may hold 256 KiB.
Owners = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...], Meta(max_length=250)]
Versions = Annotated[tuple[str, ...], Meta(max_length=1_000)]
Reason = Annotated[str, Meta(max_length=500)]


class Exclude(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """The writes that fit all that is given; nothing given: none. `from` and `to` are times of acceptance."""

    owners: Owners = ()
    collections: tuple[str, ...] = ()
    versions: Versions = ()
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None


NOTHING = Exclude()


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A rebuild's input; each field may be left out.

    `as_of` leaves out what was accepted from then on until the rebuild begins, `exclude` what it names; the `reason` is
    written down. With `afresh`, what earlier rebuilds left out is taken in again.
    """

    as_of: Moment | None = None
    exclude: Exclude = NOTHING
    source: Literal["batches", "archive"] = "batches"
    reason: Reason = ""
    afresh: bool = False


def understood(given: Any, known: Collection[str], now: datetime.datetime) -> Request:
    """The request that an execution's input makes. Raises the errors of `sluice.inputs`."""
    request = converted(without_starter(given), Request, "rebuild")
    exclude = request.exclude
    check_past((request.as_of, exclude.from_, exclude.to), now)
    if exclude.from_ and exclude.to and exclude.from_ >= exclude.to:
        raise InvalidWindow(f"What to exclude ends ({text(exclude.to)}) before it begins ({text(exclude.from_)}).")
    check_known(exclude.collections, known)
    _check_versions(exclude.versions)
    return request


def _check_versions(versions: Iterable[str]) -> None:
    for version in versions:
        if not is_version(version):
            raise InvalidInput(f"{version!r} is no version: that is what a receipt has, and an item's ETag.")


def exclusions(request: Request, execution: str, now: datetime.datetime) -> list[Exclusion]:
    """What a request leaves out, and forgets. No rule reaches beyond `now`: what is accepted later always counts."""
    rules = []
    if request.as_of:
        rules.append(Rule(from_=request.as_of, to=now))
    if request.exclude != NOTHING:
        found = request.exclude
        rules.append(
            Rule(
                owners=found.owners,
                collections=found.collections,
                versions=found.versions,
                from_=found.from_,
                to=min(found.to or now, now),
            )
        )
    made = [Exclusion(execution=execution, rules=tuple(rules), reason=request.reason, made_at=now)] if rules else []
    return [*made, _forgetting(request, now)] if request.afresh else made


def _forgetting(request: Request, now: datetime.datetime) -> Exclusion:
    # By a name of its own, since one execution may exclude too.
    name = f"afresh-{now.astimezone(datetime.UTC):%Y%m%dT%H%M%S.%f}"
    return Exclusion(execution=name, rules=(), reason=request.reason, made_at=now)
