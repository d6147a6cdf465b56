"""Read a batch line by line for the strict engine, and keep the latest write to each item."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from sluice.errors import SchemaOutdated, UnreadableBatch
from sluice.load.batch_reader import BatchObject, read_blocks
from sluice.load.load_types import ItemKey, RejectedLine
from sluice.load.strict.strict_rows import (
    LineDecoders,
    RenderLine,
    StrictLine,
    create_line_decoders,
    create_strict_renderer,
)
from sluice.model.item_state import create_item_key
from sluice.model.record import Write, decode_write
from sluice.model.resource import Resource, describe_invalid_id

# Bounds the memory of the loader. A larger batch is loaded in several parts, but in one transaction.
MAX_PART_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class StrictRow:
    """A row to load: the write's version, the number of its line in the object (from 1), and the text of its row."""

    version: str
    line: int
    fields: bytes


@dataclass(frozen=True)
class LineSelection:
    """Which lines of a batch to read: those of some items, without some lines. By default all."""

    items: frozenset[ItemKey] | None = None
    excluded_lines: frozenset[int] = frozenset()


ALL_LINES = LineSelection()


@dataclass
class StrictPart:
    """A part of a batch: the latest row of each item, by collection and key, and the lines that are no rows."""

    rows: dict[str, dict[bytes, StrictRow]] = field(default_factory=dict)
    superseded: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)
    unknown_fields: int = 0
    size: int = 0
    lines: int = 0
    oldest_accepted_at: datetime.datetime | None = None
    newest_version: str = ""
    request_ids: set[str] = field(default_factory=set)


class StrictReader:
    """Reads batches for a set of resources."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._decoders: LineDecoders = create_line_decoders(resources.values())
        self._renderers: dict[str, RenderLine] = {
            name: create_strict_renderer(resource) for name, resource in resources.items()
        }

    def read_parts(self, batch: BatchObject, selection: LineSelection = ALL_LINES) -> Iterator[StrictPart]:
        """Yield a batch in parts.

        Raises UnreadableBatch if a line is not a write, and SchemaOutdated if a write needs a newer schema.
        """
        part = StrictPart()
        lines_before = 0
        for block in read_blocks(batch):
            lines_before += self._add_block(block, part, lines_before, selection)
            part.size += len(block)
            if part.size >= MAX_PART_BYTES:
                yield part
                part = StrictPart()
        if part.lines:
            yield part

    def _add_block(self, block: bytes, part: StrictPart, lines_before: int, selection: LineSelection) -> int:
        texts = block.removesuffix(b"\n").split(b"\n")
        for number, text in enumerate(texts, lines_before + 1):
            # A blank line is not a write, but it counts as a line.
            if text.strip():
                self._add_line(text, part, number, selection)
        part.lines += len(texts)
        return len(texts)

    def _add_line(self, text: bytes, part: StrictPart, number: int, selection: LineSelection) -> None:
        write = decode_write_line(text, number)
        key = create_item_key(write.owner, write.id).encode()
        if selection.items is not None and (
            (write.collection, key) not in selection.items or number in selection.excluded_lines
        ):
            return
        part.request_ids.add(write.request_id or "")
        try:
            fields = self._render_row(write, text, part)
        except (ValueError, RecursionError) as error:
            part.rejected.append(RejectedLine(number, str(error)))
            return
        part.newest_version = max(part.newest_version, write.version)
        part.oldest_accepted_at = min(part.oldest_accepted_at or write.accepted_at, write.accepted_at)
        rows = part.rows.setdefault(write.collection, {})
        previous = rows.get(key)
        if previous is not None:
            part.superseded += 1
        if previous is None or previous.version < write.version:
            rows[key] = StrictRow(write.version, number, fields)

    def _render_row(self, write: Write, text: bytes, part: StrictPart) -> bytes:
        """Render the row of a write. Raises ValueError with the reason if it cannot have one, and SchemaOutdated."""
        resource = self._resources.get(write.collection)
        if resource is None:
            raise ValueError("unknown collection")
        if write.schema > resource.revision:
            raise SchemaOutdated(f"a write to {write.collection} has revision {write.schema}")
        if problem := describe_invalid_id(resource, write.id):
            raise ValueError(f"{problem} for the id")
        try:
            line = self._decoders.exact.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            line = self._decode_older_line(write, text, resource, str(error))
            part.unknown_fields += bool(_find_unknown_fields(write, resource))
        return self._renderers[write.collection](line)

    def _decode_older_line(self, write: Write, text: bytes, resource: Resource, problem: str) -> StrictLine:
        """Decode a write whose fields differ from the current ones.

        Raises ValueError or SchemaOutdated if the write is not of an older revision.
        """
        if write.schema < resource.revision:
            return self._decoders.older.decode(text)
        if _find_unknown_fields(write, resource):
            # Newer code wrote it without a greater revision. To drop its field would lose data.
            raise SchemaOutdated(f"a write to {write.collection} has a field that the table lacks")
        raise ValueError(problem)


def _find_unknown_fields(write: Write, resource: Resource) -> set[str]:
    """Find the fields of a write that its resource does not have. Raises ValueError for a name that is not UTF-8."""
    declared = {resource.key, *(column.name for column in resource.columns)}
    return set(msgspec.json.decode(write.data, type=dict[str, Raw])) - declared


def decode_write_line(text: bytes, number: int) -> Write:
    """Decode a line as a write. Raises UnreadableBatch: an object with one other line is not a batch."""
    try:
        return decode_write(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnreadableBatch(f"line {number} is not a write") from None
