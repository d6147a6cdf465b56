"""Parse the input of a rebuild, and check that S3 has the data to rebuild from."""

import datetime
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.aws.s3 import Bucket
from sluice.errors import InvalidInput, InvalidWindow, NoRebuildSource
from sluice.model.batch_keys import ABOVE_ALL_KEYS, KEY_OVERLAP, SOURCE_PREFIXES, parse_hour
from sluice.model.exclusions import Exclusion, ExclusionRule
from sluice.model.versions import is_version
from sluice.model.workflow_input import check_collections, check_not_future, convert_input, format_time, strip_starter

Moment = Annotated[datetime.datetime, Meta(tz=True)]


# The state has them twice, and may hold 256 KiB.
Owners = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...], Meta(max_length=250)]


Versions = Annotated[tuple[str, ...], Meta(max_length=1_000)]


Reason = Annotated[str, Meta(max_length=500)]


class ExcludeFilter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """The writes that fit all that is given; nothing given: none. `from` and `to` are times of acceptance."""

    owners: Owners = ()
    collections: tuple[str, ...] = ()
    versions: Versions = ()
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None


EXCLUDE_NOTHING = ExcludeFilter()


class RebuildRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A rebuild's input; each field may be left out.

    `as_of` leaves out what was accepted from then on until the rebuild begins, `exclude` what it names; the `reason` is
    written down. With `reset_exclusions`, what earlier rebuilds left out is taken in again.
    """

    as_of: Moment | None = None
    exclude: ExcludeFilter = EXCLUDE_NOTHING
    source: Literal["batches", "archive"] = "batches"
    reason: Reason = ""
    reset_exclusions: bool = False


def parse_rebuild_request(given: Any, known: Collection[str], now: datetime.datetime) -> RebuildRequest:
    """The request that an execution's input makes. Raises the errors of `sluice.model.workflow_input`."""
    request = convert_input(strip_starter(given), RebuildRequest, "rebuild")
    exclude = request.exclude
    check_not_future((request.as_of, exclude.from_, exclude.to), now)
    if exclude.from_ and exclude.to and exclude.from_ >= exclude.to:
        raise InvalidWindow(
            f"What to exclude ends ({format_time(exclude.to)}) before it begins ({format_time(exclude.from_)})."
        )
    check_collections(exclude.collections, known)
    _check_versions(exclude.versions)
    return request


def _check_versions(versions: Iterable[str]) -> None:
    for version in versions:
        if not is_version(version):
            raise InvalidInput(f"{version!r} is no version: that is what a receipt has, and an item's ETag.")


def build_exclusions(request: RebuildRequest, execution: str, now: datetime.datetime) -> list[Exclusion]:
    """What a request leaves out, and forgets. No rule reaches beyond `now`: what is accepted later always counts."""
    rules = []
    if request.as_of:
        rules.append(ExclusionRule(from_=request.as_of, to=now))
    if request.exclude != EXCLUDE_NOTHING:
        found = request.exclude
        rules.append(
            ExclusionRule(
                owners=found.owners,
                collections=found.collections,
                versions=found.versions,
                from_=found.from_,
                to=min(found.to or now, now),
            )
        )
    made = [Exclusion(execution=execution, rules=tuple(rules), reason=request.reason, made_at=now)] if rules else []
    return [*made, _build_reset(request, now)] if request.reset_exclusions else made


def _build_reset(request: RebuildRequest, now: datetime.datetime) -> Exclusion:
    # By a name of its own, since one execution may exclude too.
    name = f"reset-{now.astimezone(datetime.UTC):%Y%m%dT%H%M%S.%f}"
    return Exclusion(execution=name, rules=(), reason=request.reason, made_at=now)


def check_source(source: str, buckets: dict[str, Bucket]) -> None:
    """Return if the tables can be made of a source. Raises NoRebuildSource with a sentence; botocore's errors."""
    first = {name: _find_first_key(bucket, SOURCE_PREFIXES[name]) for name, bucket in buckets.items()}
    if not first[source]:
        other = next(name for name in SOURCE_PREFIXES if name != source)
        hint = f" Build from the {other}." if first[other] else " The other bucket has nothing either."
        raise NoRebuildSource(
            f"There is nothing under {SOURCE_PREFIXES[source]} of the bucket {buckets[source].name}.{hint}"
        )
    begins, older = parse_hour(first[source]), parse_hour(first["archive"])
    # Batches expire long before the archive does.
    if source == "batches" and begins and older and older < begins - KEY_OVERLAP:
        raise NoRebuildSource(
            f"The batches begin with {begins:%Y-%m-%dT%H}Z, the archive with {older:%Y-%m-%dT%H}Z: build from the "
            "archive, which then takes the batches in too."
        )


def _find_first_key(bucket: Bucket, prefix: str) -> str:
    page = next(bucket.list_objects(prefix, "", f"{prefix}{ABOVE_ALL_KEYS}"), [])
    return page[0].key if page else ""
