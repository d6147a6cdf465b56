"""Plain batches, which is nearly all: every line is as the API writes it. They are read in as few steps as can be.

Whatever is not plain raises NotPlain: the careful reader then finds out what is the matter with it (`latest.py`).
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from sluice.errors import StrictModeRequired
from sluice.load.batch_reader import BatchObject, read_blocks
from sluice.load.fast.fast_rows import FastLine, RenderLines, RowsByKey, create_fast_renderer, create_line_class
from sluice.load.row_format import VERSION_LENGTH, create_spelling_check, has_json_escapes
from sluice.model.resource import Resource

# Of a batch's text in one part. Large ones come in longer runs of the table's order; the first is small, so that the
# database has something to do soon. The greatest bounds the memory: a part takes about as much, and two are at hand.
FIRST_PART_BYTES, PART_GROWTH, MAX_PART_BYTES = 1 << 20, 3, 8 << 20


# What is beyond is no version, and must not become the high-water mark.
GREATEST_VERSION = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


VERSION_CHARACTERS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"


OWNER_CHARACTERS = bytes(range(ord("!"), ord("~") + 1))


# An accepted_at as the API writes it: in UTC, with six digits of the second's fraction or with none.
ACCEPTED_AT_LENGTHS = {20, 27}


AwareDatetime = Annotated[datetime.datetime, Meta(tz=True)]


@dataclass
class FastPart:
    """Of a stretch of a batch: the text of the latest row to each item, by collection and key (see `plain_rows.py`).

    `superseded` counts the writes that lost within it. `newest` and `eldest` are versions, `oldest` is the
    first moment of acceptance.
    """

    rows: dict[str, RowsByKey] = field(default_factory=dict)
    superseded: int = 0
    newest_version: str = ""
    oldest_version: str = GREATEST_VERSION
    oldest_accepted_at: datetime.datetime | None = None


class FastReader:
    """Reads plain batches for a set of resources."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        classes = {name: create_line_class(resource) for name, resource in resources.items()}
        union: object = None
        for one in classes.values():
            union = one if union is None else union | one
        self._decoder: msgspec.json.Decoder[FastLine] = msgspec.json.Decoder(union)
        self._names = {one: name for name, one in classes.items()}
        self._spelled = {one: create_spelling_check(resources[name]) for name, one in classes.items()}
        self._renderers: dict[type[FastLine], RenderLines] = {
            one: create_fast_renderer(resources[name]) for name, one in classes.items()
        }

    def read_parts(self, batch: BatchObject) -> Iterator[FastPart]:
        """Yield a batch in parts. Raises NotPlain, SchemaOutdated, UnreadableBatch (no GZIP)."""
        part, size, enough = FastPart(), 0, FIRST_PART_BYTES
        for block in read_blocks(batch):
            self._read(block, part)
            size += len(block)
            if size >= enough:
                yield part
                part, size, enough = FastPart(), 0, min(enough * PART_GROWTH, MAX_PART_BYTES)
        if size:
            yield part

    def _read(self, block: bytes, part: FastPart) -> None:
        escapes = has_json_escapes(block)
        try:
            lines = self._decoder.decode_lines(block)
            for kind in set(map(type, lines)):
                of_kind = lines if len(self._names) == 1 else [line for line in lines if type(line) is kind]
                if not self._spelled[kind](of_kind, [line.id for line in of_kind]):
                    raise StrictModeRequired
                rows = part.rows.setdefault(self._names[kind], {})
                part.superseded += self._renderers[kind](of_kind, rows, escapes)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors too
            raise StrictModeRequired from None
        # Two writes on a line, a write on two lines or a blank line: lines must be counted.
        if len(lines) != block.count(b"\n") + (not block.endswith(b"\n")):
            raise StrictModeRequired
        versions = [line.version for line in lines]
        if {*map(len, versions)} != {VERSION_LENGTH} or _others(versions, VERSION_CHARACTERS):
            raise StrictModeRequired
        part.newest_version, part.oldest_version = (
            max(part.newest_version, *versions),
            min(part.oldest_version, *versions),
        )
        if part.newest_version > GREATEST_VERSION or _others({line.owner for line in lines}, OWNER_CHARACTERS):
            raise StrictModeRequired
        moments = [line.accepted_at for line in lines]
        if not {*map(len, moments)} <= ACCEPTED_AT_LENGTHS:
            raise StrictModeRequired
        try:
            oldest = msgspec.convert(min(moments), AwareDatetime)
        except msgspec.ValidationError:
            raise StrictModeRequired from None
        part.oldest_accepted_at = min(part.oldest_accepted_at or oldest, oldest)


def _others(texts: Iterable[str], allowed: bytes) -> bytes:
    """The characters of texts that are not allowed."""
    return "".join(texts).encode().translate(None, allowed)
