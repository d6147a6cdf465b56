"""Of a batch's lines, the latest write to each item."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from sluice.errors import SchemaOutdated, UnreadableBatch
from sluice.load.batch_reader import BatchObject, read_blocks
from sluice.load.load_result import ItemKey, RejectedLine
from sluice.load.strict.strict_rows import (
    LineDecoders,
    RenderLine,
    StrictLine,
    create_line_decoders,
    create_strict_renderer,
)
from sluice.model.record import Write, decode_write
from sluice.model.resource import Resource, describe_invalid_id

# Bounds the loader's memory; a larger batch is loaded in several parts, still in one transaction.
PART_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class StrictRow:
    """A row to load: the write's version, its line in the object from 1, and its fields."""

    version: str
    line: int
    fields: bytes


@dataclass(frozen=True)
class LineSelection:
    """Which lines of a batch to take: those of some items only, and without some lines. By default all."""

    items: frozenset[ItemKey] | None = None
    excluded_lines: frozenset[int] = frozenset()


ALL_LINES = LineSelection()


@dataclass
class StrictPart:
    """What a stretch of a batch comes to: the latest row of each item by collection and key, and what was left out."""

    rows: dict[str, dict[bytes, StrictRow]] = field(default_factory=dict)
    superseded: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)
    unknown_fields: int = 0
    size: int = 0
    lines: int = 0
    oldest_accepted_at: datetime.datetime | None = None  # moment of acceptance
    newest_version: str = ""  # version


class StrictReader:
    """Reads batches for a set of resources."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._shapes: LineDecoders = create_line_decoders(resources.values())
        self._renderers: dict[str, RenderLine] = {
            name: create_strict_renderer(resource) for name, resource in resources.items()
        }

    def read_parts(self, batch: BatchObject, selection: LineSelection = ALL_LINES) -> Iterator[StrictPart]:
        """Yield a batch in parts.

        Raises UnreadableBatch (the whole batch is none), SchemaOutdated (a write is newer).
        """
        part = StrictPart()
        before = 0
        for block in read_blocks(batch):
            before += self._read(block, part, before, selection)
            part.size += len(block)
            if part.size >= PART_BYTES:
                yield part
                part = StrictPart()
        if part.lines:
            yield part

    def _read(self, block: bytes, part: StrictPart, before: int, choice: LineSelection) -> int:
        texts = block.removesuffix(b"\n").split(b"\n")
        for number, text in enumerate(texts, before + 1):
            # A blank line is no write, but it is a line.
            if text.strip():
                self._take(text, part, number, choice)
        part.lines += len(texts)
        return len(texts)

    def _take(self, text: bytes, part: StrictPart, number: int, choice: LineSelection) -> None:
        write = decode_write_line(text, number)
        key = f"{write.owner}\n{write.id}".encode()
        if choice.items is not None and (
            (write.collection, key) not in choice.items or number in choice.excluded_lines
        ):
            return
        try:
            fields = self._rendered(write, text, part)
        except (ValueError, RecursionError) as error:
            part.rejected.append(RejectedLine(number, str(error)))
            return
        part.newest_version = max(part.newest_version, write.version)
        part.oldest_accepted_at = min(part.oldest_accepted_at or write.accepted_at, write.accepted_at)
        rows = part.rows.setdefault(write.collection, {})
        rival = rows.get(key)
        if rival is not None:
            part.superseded += 1
        if rival is None or rival.version < write.version:
            rows[key] = StrictRow(write.version, number, fields)

    def _rendered(self, write: Write, text: bytes, part: StrictPart) -> bytes:
        """The row of a write. Raises ValueError with the reason why it can have none, SchemaOutdated."""
        resource = self._resources.get(write.collection)
        if resource is None:
            raise ValueError("unknown collection")
        if write.schema > resource.revision:
            raise SchemaOutdated(f"a write to {write.collection} has revision {write.schema}")
        if fault := describe_invalid_id(resource, write.id):
            raise ValueError(f"{fault} for the id")
        try:
            line = self._shapes.exact.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            line = self._other_line(write, text, resource, str(error))
            part.unknown_fields += bool(_unknown(write, resource))
        return self._renderers[write.collection](line)

    def _other_line(self, write: Write, text: bytes, resource: Resource, fault: str) -> StrictLine:
        """A write whose fields are not today's. Raises ValueError or SchemaOutdated when it is no older than they are."""  # noqa: E501
        if write.schema < resource.revision:
            return self._shapes.older.decode(text)
        if _unknown(write, resource):
            # Written by newer code whose revision nobody raised: to drop its field would lose data.
            raise SchemaOutdated(f"a write to {write.collection} has a field that the table lacks")
        raise ValueError(fault)


def _unknown(write: Write, resource: Resource) -> set[str]:
    """The fields of a write that its resource does not have. Raises ValueError for a name that is no UTF-8."""
    known = {resource.key, *(column.name for column in resource.columns)}
    return set(msgspec.json.decode(write.data, type=dict[str, Raw])) - known


def decode_write_line(text: bytes, number: int) -> Write:
    """Decode the line of that number as a write. Raises UnreadableBatch: one such line, and the object is no batch."""
    try:
        return decode_write(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnreadableBatch(f"line {number} is not a write") from None
