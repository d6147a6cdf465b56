"""Parse the input of a rebuild, check that S3 has its source, and store in S3 what rebuilds exclude."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.aws.s3 import Bucket
from sluice.errors import InvalidInput, InvalidWindow, NoRebuildSource
from sluice.model.batch_keys import ABOVE_ALL_KEYS, KEY_OVERLAP, SOURCE_PREFIXES, parse_hour
from sluice.model.exclusions import Exclusion, ExclusionRule
from sluice.model.versions import is_version
from sluice.model.workflow_input import (
    check_collections,
    check_not_future,
    convert_input,
    format_time,
    strip_starter,
)

AwareTime = Annotated[datetime.datetime, Meta(tz=True)]
# The workflow's state contains these lists twice, and may have 256 KiB.
Owners = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...], Meta(max_length=250)]
Versions = Annotated[tuple[str, ...], Meta(max_length=1_000)]
Reason = Annotated[str, Meta(max_length=500)]


class ExcludeFilter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Selects the writes that match every given field; none without a field. `from` and `to` are acceptance times."""

    owners: Owners = ()
    collections: tuple[str, ...] = ()
    versions: Versions = ()
    from_: AwareTime | None = msgspec.field(default=None, name="from")
    to: AwareTime | None = None


EXCLUDE_NOTHING = ExcludeFilter()


class RebuildRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A rebuild's input; each field is optional.

    `as_of` excludes the writes accepted from that time until the rebuild starts; `exclude` excludes the writes that it
    selects. The `reason` is stored with them. `reset_exclusions` cancels the exclusions of earlier rebuilds.
    """

    as_of: AwareTime | None = None
    exclude: ExcludeFilter = EXCLUDE_NOTHING
    source: Literal["batches", "archive"] = "batches"
    reason: Reason = ""
    reset_exclusions: bool = False


def parse_rebuild_request(value: Any, collections: Collection[str], now: datetime.datetime) -> RebuildRequest:
    """Parse an execution's input. `collections` are the existing ones. Raises the input errors of `sluice.errors`."""
    request = convert_input(strip_starter(value), RebuildRequest, "rebuild")
    exclude = request.exclude
    check_not_future((request.as_of, exclude.from_, exclude.to), now)
    if exclude.from_ and exclude.to and exclude.from_ >= exclude.to:
        raise InvalidWindow(
            f"The window to exclude ends ({format_time(exclude.to)}) before it begins ({format_time(exclude.from_)})."
        )
    check_collections(exclude.collections, collections)
    _check_versions(exclude.versions)
    return request


def _check_versions(versions: Iterable[str]) -> None:
    for version in versions:
        if not is_version(version):
            raise InvalidInput(f"{version!r} is not a version: see a receipt or an item's ETag for one.")


def build_exclusions(request: RebuildRequest, execution: str, now: datetime.datetime) -> list[Exclusion]:
    """The exclusions that a request adds or cancels. They end at `now`: later writes are never excluded."""
    rules = []
    if request.as_of:
        rules.append(ExclusionRule(from_=request.as_of, to=now))
    if request.exclude != EXCLUDE_NOTHING:
        exclude = request.exclude
        rules.append(
            ExclusionRule(
                owners=exclude.owners,
                collections=exclude.collections,
                versions=exclude.versions,
                from_=exclude.from_,
                to=min(exclude.to or now, now),
            )
        )
    added = [Exclusion(execution=execution, rules=tuple(rules), reason=request.reason, made_at=now)] if rules else []
    return [*added, _build_reset(request, now)] if request.reset_exclusions else added


def _build_reset(request: RebuildRequest, now: datetime.datetime) -> Exclusion:
    # A separate name, because the same execution may add exclusions too.
    name = f"reset-{now.astimezone(datetime.UTC):%Y%m%dT%H%M%S.%f}"
    return Exclusion(execution=name, rules=(), reason=request.reason, made_at=now)


def check_source(source: str, buckets: dict[str, Bucket]) -> None:
    """Check that S3 has the data to rebuild from. Raises NoRebuildSource with a sentence, and botocore's errors."""
    first = {name: _find_first_key(bucket, SOURCE_PREFIXES[name]) for name, bucket in buckets.items()}
    if not first[source]:
        other = next(name for name in SOURCE_PREFIXES if name != source)
        hint = f" Rebuild from the {other}." if first[other] else " The other bucket is empty too."
        raise NoRebuildSource(
            f"There is no object under {SOURCE_PREFIXES[source]} in the bucket {buckets[source].name}.{hint}"
        )
    begin, archive_begin = parse_hour(first[source]), parse_hour(first["archive"])
    # Batches expire long before the archive. The first objects of both may begin an hour apart and have the same
    # writes.
    if source == "batches" and begin and archive_begin and archive_begin < begin - KEY_OVERLAP:
        raise NoRebuildSource(
            f"The batches begin at {begin:%Y-%m-%dT%H}Z, the archive begins at {archive_begin:%Y-%m-%dT%H}Z: rebuild "
            "from the archive, which then loads the batches too."
        )


def _find_first_key(bucket: Bucket, prefix: str) -> str:
    page = next(bucket.list_objects(prefix, "", f"{prefix}{ABOVE_ALL_KEYS}"), [])
    return page[0].key if page else ""


# A copy of the table of exclusions, because a lost database loses its table too.
EXCLUSIONS_KEY = "rebuilds/exclusions.json"
_exclusions_decoder = msgspec.json.Decoder(list[Exclusion])


def read_stored_exclusions(bucket: Bucket) -> list[Exclusion]:
    """Read the exclusions that the last rebuild stored. Raises botocore's errors."""
    stored = bucket.find_object(EXCLUSIONS_KEY)
    return _exclusions_decoder.decode(stored.content) if stored else []


def store_exclusions(bucket: Bucket, exclusions: Sequence[Exclusion]) -> None:
    """Store the active exclusions in place of the stored ones. Raises botocore's errors."""
    bucket.write_object(EXCLUSIONS_KEY, msgspec.json.encode(exclusions))
