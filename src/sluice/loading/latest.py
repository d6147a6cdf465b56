"""Of a batch's lines, the latest write to each item."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from sluice.archive import BatchObject, blocks
from sluice.faults import SchemaBehind, UnreadableBatch
from sluice.ids import id_fault
from sluice.loading.rows import Render, renderer
from sluice.loading.shapes import Line, Shapes, shapes
from sluice.records import Write, from_line
from sluice.resource import Resource

# Bounds the loader's memory; a larger batch is loaded in several parts, still in one transaction.
PART_BYTES = 8 << 20

Item = tuple[str, bytes]  # collection and key


@dataclass(frozen=True, slots=True)
class Row:
    """A row to load: the write's version, its line in the object from 1, and its fields."""

    version: str
    line: int
    fields: bytes


@dataclass(frozen=True)
class Choice:
    """Which lines of a batch to take: those of some items only, and without some lines. By default all."""

    items: frozenset[Item] | None = None
    without: frozenset[int] = frozenset()


ALL = Choice()


@dataclass(frozen=True)
class Refused:
    """A line that is a write, but that cannot be a row. `item` names its item by collection and key, if it has any."""

    line: int
    reason: str
    item: Item | None = None


@dataclass
class Part:
    """What a stretch of a batch comes to: the latest row of each item by collection and key, and what was left out."""

    rows: dict[str, dict[bytes, Row]] = field(default_factory=dict)
    superseded: int = 0
    refused: list[Refused] = field(default_factory=list)
    unknown_fields: int = 0
    size: int = 0
    lines: int = 0
    oldest: datetime.datetime | None = None  # moment of acceptance
    newest: str = ""  # version


class Reader:
    """Reads batches for a set of resources."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._shapes: Shapes = shapes(resources.values())
        self._renderers: dict[str, Render] = {name: renderer(resource) for name, resource in resources.items()}

    def parts(self, batch: BatchObject, choice: Choice = ALL) -> Iterator[Part]:
        """Yield a batch in parts. Raises UnreadableBatch (the whole batch is none), SchemaBehind (a write is newer)."""
        part = Part()
        before = 0
        for block in blocks(batch):
            before += self._read(block, part, before, choice)
            part.size += len(block)
            if part.size >= PART_BYTES:
                yield part
                part = Part()
        if part.lines:
            yield part

    def _read(self, block: bytes, part: Part, before: int, choice: Choice) -> int:
        texts = block.removesuffix(b"\n").split(b"\n")
        for number, text in enumerate(texts, before + 1):
            # A blank line is no write, but it is a line.
            if text.strip():
                self._take(text, part, number, choice)
        part.lines += len(texts)
        return len(texts)

    def _take(self, text: bytes, part: Part, number: int, choice: Choice) -> None:
        write = as_write(text, number)
        key = f"{write.owner}\n{write.id}".encode()
        if choice.items is not None and ((write.collection, key) not in choice.items or number in choice.without):
            return
        try:
            fields = self._rendered(write, text, part)
        except (ValueError, RecursionError) as error:
            part.refused.append(Refused(number, str(error)))
            return
        part.newest = max(part.newest, write.version)
        part.oldest = min(part.oldest or write.accepted_at, write.accepted_at)
        rows = part.rows.setdefault(write.collection, {})
        rival = rows.get(key)
        if rival is not None:
            part.superseded += 1
        if rival is None or rival.version < write.version:
            rows[key] = Row(write.version, number, fields)

    def _rendered(self, write: Write, text: bytes, part: Part) -> bytes:
        """The row of a write. Raises ValueError with the reason why it can have none, SchemaBehind."""
        resource = self._resources.get(write.collection)
        if resource is None:
            raise ValueError("unknown collection")
        if write.schema > resource.revision:
            raise SchemaBehind(f"a write to {write.collection} has revision {write.schema}")
        if fault := id_fault(resource, write.id):
            raise ValueError(f"{fault} for the id")
        try:
            line = self._shapes.exact.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            line = self._other_line(write, text, resource, str(error))
            part.unknown_fields += bool(_unknown(write, resource))
        return self._renderers[write.collection](line)

    def _other_line(self, write: Write, text: bytes, resource: Resource, fault: str) -> Line:
        """A write whose fields are not today's. Raises ValueError or SchemaBehind when it is no older than they are."""
        if write.schema < resource.revision:
            return self._shapes.older.decode(text)
        if _unknown(write, resource):
            # Written by newer code whose revision nobody raised: to drop its field would lose data.
            raise SchemaBehind(f"a write to {write.collection} has a field that the table lacks")
        raise ValueError(fault)


def _unknown(write: Write, resource: Resource) -> set[str]:
    """The fields of a write that its resource does not have. Raises ValueError for a name that is no UTF-8."""
    known = {resource.key, *(column.name for column in resource.columns)}
    return set(msgspec.json.decode(write.data, type=dict[str, Raw])) - known


def as_write(text: bytes, number: int) -> Write:
    """Decode the line of that number as a write. Raises UnreadableBatch: one such line, and the object is no batch."""
    try:
        return from_line(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnreadableBatch(f"line {number} is not a write") from None
