"""Writes that a rebuild left out, for good: whatever loads them later leaves them out too.

A rule ends before the rebuild began that made it. So no write that is accepted afterwards is ever left out, and a load
of newer writes need not look at the rules.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from ulid import ULID

# Of a version's text: its moment, to the millisecond, in the order of time.
VERSION_TIME_LENGTH = 10


class ExclusionRule(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Leaves out the writes that fit all that is given. `from` is included, `to` is not; both are times of versions."""

    owners: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    from_: datetime.datetime | None = msgspec.field(default=None, name="from")
    to: datetime.datetime


class Exclusion(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The rules of one rebuild, by the name of its execution; a write that fits one of them is left out.

    One without rules stands for a rebuild afresh: what was made before it is in force no more. So what was ever
    excluded is a set that only grows, and two that differ are brought together by taking what is in either.
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


# Of the table `exclusions`, in the order that `of_rows` takes.
EXCLUSION_COLUMNS = "execution, rules, reason, made_at"


_rules_decoder = msgspec.json.Decoder(tuple[ExclusionRule, ...])


def decode_exclusion_rows(rows: Iterable[Sequence[Any]]) -> list[Exclusion]:
    """What rows of the table `exclusions` say, as far as it is in force."""
    return select_active_exclusions(
        Exclusion(execution=name, rules=_rules_decoder.decode(rules), reason=why, made_at=at)
        for name, rules, why, at in rows
    )


def encode_exclusion_row(one: Exclusion) -> tuple[object, ...]:
    """The row of an exclusion in the table."""
    return one.execution, msgspec.json.encode(one.rules).decode(), one.reason, _to_utc(one.made_at).replace(tzinfo=None)


def select_active_exclusions(exclusions: Iterable[Exclusion]) -> list[Exclusion]:
    """Those that no later rebuild afresh forgot, one of each rebuild; its own stays, against what is older."""
    found = {one.execution: msgspec.structs.replace(one, made_at=_to_utc(one.made_at)) for one in exclusions}
    forgotten = max((one.made_at for one in found.values() if not one.rules), default=None)
    return [one for one in found.values() if forgotten is None or one.made_at >= forgotten]


def _to_utc(moment: datetime.datetime) -> datetime.datetime:
    """The database's are in UTC and do not say so."""
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def compute_end_version(exclusions: Iterable[Exclusion]) -> str:
    """The version that every excluded one is smaller than; empty, when there are none."""
    ends = [_version_time(rule.to) for exclusion in exclusions for rule in exclusion.rules]
    return max(ends, default="").ljust(26, "0") if ends else ""


def is_excluded(exclusions: Iterable[Exclusion], version: str, collection: str, owner: str) -> bool:
    """Whether a write fits one of the rules."""
    head = _WriteHead(version, collection, owner)
    return any(_create_match(rule)(head) for one in exclusions for rule in one.rules)


def create_exclusion_filter(exclusions: Sequence[Exclusion], *, keeps_line_numbers: bool) -> Callable[[bytes], bytes]:
    """What is left of a block of whole lines. With `numbered`, a blank line stands in the place of an excluded one.

    A line that is no write stays, so that its batch is known as unreadable.
    """
    tests = [_create_match(rule) for exclusion in exclusions for rule in exclusion.rules]
    last, blank = compute_end_version(exclusions), b"\n" if keeps_line_numbers else b""

    def excluded(line: bytes) -> bool:
        try:
            head = _head_decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        return head.version < last and any(fits(head) for fits in tests)

    def left(block: bytes) -> bytes:
        if not block:
            return block
        lines = block.removesuffix(b"\n").split(b"\n")
        return b"".join(blank if excluded(line) else line + b"\n" for line in lines)

    return left


def _create_match(rule: ExclusionRule) -> MatchWrite:
    owners, collections, versions = (frozenset(of) for of in (rule.owners, rule.collections, rule.versions))
    first, last = _version_time(rule.from_) if rule.from_ else "", _version_time(rule.to)

    def fits(head: _WriteHead) -> bool:
        return (
            (not owners or head.owner in owners)
            and (not collections or head.collection in collections)
            and (not versions or head.version in versions)
            and first <= head.version[:VERSION_TIME_LENGTH] < last
        )

    return fits


def _version_time(moment: datetime.datetime) -> str:
    return str(ULID.from_datetime(moment))[:VERSION_TIME_LENGTH]
