"""Of a batch's lines, the latest write to each item."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from sluice.archive import BatchObject, blocks
from sluice.faults import SchemaBehind, UnreadableBatch
from sluice.loading.rows import Render, renderer
from sluice.loading.shapes import Line, Shapes, shapes
from sluice.records import Write, from_line
from sluice.resource import Resource

# Bounds the loader's memory; a larger batch is loaded in several parts, still in one transaction.
PART_BYTES = 8 << 20

_VERSION = re.compile(rb'"[0-7][0-9A-HJKMNP-TV-Z]{25}"')

Item = tuple[str, bytes]  # collection and key


@dataclass(frozen=True, slots=True)
class Row:
    """A row to load: the write's version (as quoted JSON text), its line in the object from 1, and its fields."""

    version: bytes
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
    oldest: bytes = b""  # accepted_at as JSON text
    newest: bytes = b""  # version as JSON text


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
        try:
            lines = self._shapes.exact.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            lines = []
        if lines:
            for number, line in enumerate(lines, before + 1):
                self._take(line, part, number, choice)
            part.lines += len(lines)
            return len(lines)
        texts = block.removesuffix(b"\n").split(b"\n")
        for number, text in enumerate(texts, before + 1):
            self._examine(text, part, number, choice)
        part.lines += len(texts)
        return len(texts)

    def _take(self, line: Line, part: Part, number: int, choice: Choice) -> None:
        collection = str(line.__struct_config__.tag)
        if line.schema > self._resources[collection].revision:
            raise SchemaBehind(f"a write to {collection} has revision {line.schema}")
        key, version = bytes(line.owner) + bytes(line.id), bytes(line.version)
        if not _VERSION.fullmatch(version):
            raise UnreadableBatch(f"line {number} is not a write")
        if choice.items is not None and ((collection, key) not in choice.items or number in choice.without):
            return
        try:
            fields = self._renderers[collection](line)
        except ValueError as error:
            part.refused.append(Refused(number, str(error)))
            return
        part.newest = max(part.newest, version)
        rows = part.rows.setdefault(collection, {})
        rival = rows.get(key)
        if rival is not None:
            part.superseded += 1
        if rival is None or rival.version < version:
            rows[key] = Row(version, number, fields)
        accepted_at = bytes(line.accepted_at)
        if not part.oldest or accepted_at < part.oldest:
            part.oldest = accepted_at

    def _examine(self, text: bytes, part: Part, number: int, choice: Choice) -> None:
        """Take one line of a block in which some line is not as expected, and see what is the matter with it."""
        try:
            line: Line | None = self._shapes.exact.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            line = self._mended(as_write(text, number), text, part, number)
        if line is not None:
            self._take(line, part, number, choice)

    def _mended(self, write: Write, text: bytes, part: Part, number: int) -> Line | None:
        """A write that has no table, or whose fields are not today's: what can be loaded of it, or None."""
        resource = self._resources.get(write.collection)
        if resource is None:
            part.refused.append(Refused(number, "unknown collection"))
            return None
        if write.schema > resource.revision:
            raise SchemaBehind(f"a write to {write.collection} has revision {write.schema}")
        try:
            line = self._shapes.lenient.decode(text)
        except msgspec.ValidationError as error:
            part.refused.append(Refused(number, str(error)))
            return None
        if write.schema == resource.revision:
            # Written by newer code whose revision nobody raised: to drop its field would lose data.
            raise SchemaBehind(f"a write to {write.collection} has a field that the table lacks")
        part.unknown_fields += 1
        return line


def as_write(text: bytes, number: int) -> Write:
    """Decode the line of that number as a write. Raises UnreadableBatch: one such line, and the object is no batch."""
    try:
        return from_line(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnreadableBatch(f"line {number} is not a write") from None
