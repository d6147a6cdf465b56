"""Plain batches, which is nearly all: every line is as the API writes it. They are read in as few steps as can be.

Whatever is not plain raises NotPlain: the careful reader then finds out what is the matter with it (`latest.py`).
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from sluice.archive import BatchObject, blocks
from sluice.loading.format import has_json_escapes
from sluice.loading.plain_rows import VERSION_LENGTH, Line, Render, Rows, line_class, renderer
from sluice.loading.plain_spelling import spelled
from sluice.resource import Resource

# Of a batch's text in one part. Large ones come in longer runs of the table's order; the first is small, so that the
# database has something to do soon. The greatest bounds the memory: a part takes about as much, and two are at hand.
FIRST_PART, GROWTH, LARGEST_PART = 1 << 20, 3, 8 << 20

# What is beyond is no version, and must not become the high-water mark.
GREATEST = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
VERSION_CHARACTERS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
OWNER_CHARACTERS = bytes(range(ord("!"), ord("~") + 1))

# An accepted_at as the API writes it: in UTC, with six digits of the second's fraction or with none.
MOMENT_LENGTHS = {20, 27}
Moment = Annotated[datetime.datetime, Meta(tz=True)]


class NotPlain(Exception):  # noqa: N818
    """The batch has something that needs a closer look."""


@dataclass
class PlainPart:
    """Of a stretch of a batch: the text of the latest row to each item, by collection and key (see `plain_rows.py`).

    `superseded` counts the writes that lost within it. `newest` and `eldest` are versions, `oldest` is the
    first moment of acceptance.
    """

    rows: dict[str, Rows] = field(default_factory=dict)
    superseded: int = 0
    newest: str = ""
    eldest: str = GREATEST
    oldest: datetime.datetime | None = None


class PlainReader:
    """Reads plain batches for a set of resources."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        classes = {name: line_class(resource) for name, resource in resources.items()}
        union: object = None
        for one in classes.values():
            union = one if union is None else union | one
        self._decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(union)
        self._names = {one: name for name, one in classes.items()}
        self._spelled = {one: spelled(resources[name]) for name, one in classes.items()}
        self._renderers: dict[type[Line], Render] = {one: renderer(resources[name]) for name, one in classes.items()}

    def parts(self, batch: BatchObject) -> Iterator[PlainPart]:
        """Yield a batch in parts. Raises NotPlain, SchemaBehind, UnreadableBatch (no GZIP)."""
        part, size, enough = PlainPart(), 0, FIRST_PART
        for block in blocks(batch):
            self._read(block, part)
            size += len(block)
            if size >= enough:
                yield part
                part, size, enough = PlainPart(), 0, min(enough * GROWTH, LARGEST_PART)
        if size:
            yield part

    def _read(self, block: bytes, part: PlainPart) -> None:
        escapes = has_json_escapes(block)
        try:
            lines = self._decoder.decode_lines(block)
            for kind in set(map(type, lines)):
                of_kind = lines if len(self._names) == 1 else [line for line in lines if type(line) is kind]
                if not self._spelled[kind](of_kind, [line.id for line in of_kind]):
                    raise NotPlain
                rows = part.rows.setdefault(self._names[kind], {})
                part.superseded += self._renderers[kind](of_kind, rows, escapes)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors too
            raise NotPlain from None
        # Two writes on a line, a write on two lines or a blank line: lines must be counted.
        if len(lines) != block.count(b"\n") + (not block.endswith(b"\n")):
            raise NotPlain
        versions = [line.version for line in lines]
        if {*map(len, versions)} != {VERSION_LENGTH} or _others(versions, VERSION_CHARACTERS):
            raise NotPlain
        part.newest, part.eldest = max(part.newest, *versions), min(part.eldest, *versions)
        if part.newest > GREATEST or _others({line.owner for line in lines}, OWNER_CHARACTERS):
            raise NotPlain
        moments = [line.accepted_at for line in lines]
        if not {*map(len, moments)} <= MOMENT_LENGTHS:
            raise NotPlain
        try:
            oldest = msgspec.convert(min(moments), Moment)
        except msgspec.ValidationError:
            raise NotPlain from None
        part.oldest = min(part.oldest or oldest, oldest)


def _others(texts: Iterable[str], allowed: bytes) -> bytes:
    """The characters of texts that are not allowed."""
    return "".join(texts).encode().translate(None, allowed)
