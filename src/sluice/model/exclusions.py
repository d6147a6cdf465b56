"""Writes that a rebuild excluded for good: every later load excludes them too.

A rule ends before the rebuild that made it began. So it never excludes a write that is accepted later, and a load of
newer writes need not read the rules.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from ulid import ULID

from sluice.model.versions import VERSION_LENGTH

# The first characters of a version are its time in milliseconds; they sort by time.
VERSION_TIME_LENGTH = 10


class ExclusionRule(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Excludes the writes that match all of its conditions. Versions from `from` on and before `to` match."""

    owners: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    from_: datetime.datetime | None = msgspec.field(default=None, name="from")
    to: datetime.datetime


class Exclusion(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The rules of one rebuild, named by its execution. It excludes a write that matches one of them.

    An exclusion without rules is a reset: every exclusion made before it is inactive. So the set of all exclusions only
    grows, and the union of two sets is always right.
    """

    execution: str
    rules: tuple[ExclusionRule, ...]
    reason: str
    made_at: datetime.datetime


class _WriteHead(msgspec.Struct):
    version: str
    collection: str
    owner: str


MatchWrite = Callable[[_WriteHead], bool]

_head_decoder = msgspec.json.Decoder(_WriteHead)

# The columns of the table `exclusions`, in the order of `decode_exclusion_rows`.
EXCLUSION_COLUMNS = "execution, rules, reason, made_at"
_rules_decoder = msgspec.json.Decoder(tuple[ExclusionRule, ...])


def decode_exclusion_rows(rows: Iterable[Sequence[Any]]) -> list[Exclusion]:
    """Decode rows of the table `exclusions`, and return the active ones."""
    return select_active_exclusions(
        Exclusion(execution=execution, rules=_rules_decoder.decode(rules), reason=reason, made_at=made_at)
        for execution, rules, reason, made_at in rows
    )


def encode_exclusion_row(exclusion: Exclusion) -> tuple[object, ...]:
    """Encode an exclusion as a row of the table `exclusions`."""
    rules = msgspec.json.encode(exclusion.rules).decode()
    return exclusion.execution, rules, exclusion.reason, _to_utc(exclusion.made_at).replace(tzinfo=None)


def select_active_exclusions(exclusions: Iterable[Exclusion]) -> list[Exclusion]:
    """Select the exclusions that no later reset made inactive, one for each rebuild.

    The reset itself stays, because it keeps older exclusions inactive.
    """
    by_execution = {
        exclusion.execution: msgspec.structs.replace(exclusion, made_at=_to_utc(exclusion.made_at))
        for exclusion in exclusions
    }
    active_since = max((exclusion.made_at for exclusion in by_execution.values() if not exclusion.rules), default=None)
    return [
        exclusion for exclusion in by_execution.values() if active_since is None or exclusion.made_at >= active_since
    ]


def _to_utc(time: datetime.datetime) -> datetime.datetime:
    """The database returns times in UTC, without a zone."""
    return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time.astimezone(datetime.UTC)


def compute_end_version(exclusions: Iterable[Exclusion]) -> str:
    """Return the version that is greater than every excluded one; empty if there are no exclusions."""
    ends = [_version_time(rule.to) for exclusion in exclusions for rule in exclusion.rules]
    return max(ends, default="").ljust(VERSION_LENGTH, "0") if ends else ""


def is_excluded(exclusions: Iterable[Exclusion], version: str, collection: str, owner: str) -> bool:
    """Whether a write matches one of the rules."""
    head = _WriteHead(version, collection, owner)
    return any(_create_match(rule)(head) for exclusion in exclusions for rule in exclusion.rules)


def create_exclusion_filter(exclusions: Sequence[Exclusion], *, keeps_line_numbers: bool) -> Callable[[bytes], bytes]:
    """Create a function that removes the excluded writes from a block of whole lines.

    With `keeps_line_numbers`, a blank line replaces an excluded one. A line that is not a write stays, so that its
    batch is still unreadable.
    """
    matches = [_create_match(rule) for exclusion in exclusions for rule in exclusion.rules]
    end_version, replacement = compute_end_version(exclusions), b"\n" if keeps_line_numbers else b""

    def is_line_excluded(line: bytes) -> bool:
        try:
            head = _head_decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        return head.version < end_version and any(matches_write(head) for matches_write in matches)

    def filter_block(block: bytes) -> bytes:
        if not block:
            return block
        lines = block.removesuffix(b"\n").split(b"\n")
        return b"".join(replacement if is_line_excluded(line) else line + b"\n" for line in lines)

    return filter_block


def _create_match(rule: ExclusionRule) -> MatchWrite:
    owners, collections, versions = map(frozenset, (rule.owners, rule.collections, rule.versions))
    first, end = _version_time(rule.from_) if rule.from_ else "", _version_time(rule.to)

    def matches_write(head: _WriteHead) -> bool:
        return (
            (not owners or head.owner in owners)
            and (not collections or head.collection in collections)
            and (not versions or head.version in versions)
            and first <= head.version[:VERSION_TIME_LENGTH] < end
        )

    return matches_write


def _version_time(time: datetime.datetime) -> str:
    return str(ULID.from_datetime(time))[:VERSION_TIME_LENGTH]
