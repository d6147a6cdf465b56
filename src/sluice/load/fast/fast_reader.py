"""Read a batch for the fast engine: nearly every batch is as the API writes it, so it takes as few steps as possible.

Anything else raises LoadModeRequired: then the strict engine finds out what is wrong with it (see `strict_reader`).
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from sluice.errors import LoadModeRequired
from sluice.load.batch_reader import BatchObject, read_blocks
from sluice.load.fast.fast_rows import FastLine, RenderLines, RowsByKey, create_fast_renderer, create_line_class
from sluice.load.load_types import LoadMode
from sluice.load.row_format import create_spelling_check, has_json_escapes
from sluice.model.record import MAX_REQUEST_ID_LENGTH, REQUEST_ID_CHARACTERS
from sluice.model.resource import Resource
from sluice.model.versions import GREATEST_VERSION, VERSION_CHARACTERS, VERSION_LENGTH

# The text of one part. The first part is small, so that the database can begin soon. Large parts give longer runs in
# the order of the table. The maximum bounds the memory: a part needs about as much, and two parts exist at a time.
FIRST_PART_BYTES, PART_GROWTH, MAX_PART_BYTES = 1 << 20, 3, 8 << 20

OWNER_CHARACTERS = bytes(range(ord("!"), ord("~") + 1))

# The API writes accepted_at in UTC, with a fraction of six digits or with none.
ACCEPTED_AT_LENGTHS = {20, 27}
AwareDatetime = Annotated[datetime.datetime, Meta(tz=True)]


@dataclass
class FastPart:
    """A part of a batch: the text of the latest row of each item, by collection and key (see `fast_rows`).

    `superseded` counts the writes that a later write of the same part replaces. `request_ids` names the requests of all
    its writes.
    """

    rows: dict[str, RowsByKey] = field(default_factory=dict)
    superseded: int = 0
    newest_version: str = ""
    oldest_version: str = GREATEST_VERSION
    oldest_accepted_at: datetime.datetime | None = None
    request_ids: set[str] = field(default_factory=set)


class FastReader:
    """Reads batches for a set of resources."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        classes = {name: create_line_class(resource) for name, resource in resources.items()}
        union: object = None
        for line_class in classes.values():
            union = line_class if union is None else union | line_class
        self._decoder: msgspec.json.Decoder[FastLine] = msgspec.json.Decoder(union)
        self._collections = {line_class: name for name, line_class in classes.items()}
        self._spelling_checks = {
            line_class: create_spelling_check(resources[name]) for name, line_class in classes.items()
        }
        self._renderers: dict[type[FastLine], RenderLines] = {
            line_class: create_fast_renderer(resources[name]) for name, line_class in classes.items()
        }

    def read_parts(self, batch: BatchObject) -> Iterator[FastPart]:
        """Yield a batch in parts. Raises LoadModeRequired, SchemaOutdated, or UnreadableBatch if it is no GZIP."""
        part, size, target = FastPart(), 0, FIRST_PART_BYTES
        for block in read_blocks(batch):
            self._add_block(block, part)
            size += len(block)
            if size >= target:
                yield part
                part, size, target = FastPart(), 0, min(target * PART_GROWTH, MAX_PART_BYTES)
        if size:
            yield part

    def _add_block(self, block: bytes, part: FastPart) -> None:
        has_escapes = has_json_escapes(block)
        try:
            lines = self._decoder.decode_lines(block)
            for line_class in set(map(type, lines)):
                same = lines if len(self._collections) == 1 else [line for line in lines if type(line) is line_class]
                if not self._spelling_checks[line_class](same, [line.id for line in same]):
                    raise LoadModeRequired(LoadMode.STRICT)
                rows = part.rows.setdefault(self._collections[line_class], {})
                part.superseded += self._renderers[line_class](same, rows, has_escapes)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors too
            raise LoadModeRequired(LoadMode.STRICT) from None
        # With two writes on a line, a write on two lines, or a blank line, lines have to be counted one by one.
        if len(lines) != block.count(b"\n") + (not block.endswith(b"\n")):
            raise LoadModeRequired(LoadMode.STRICT)
        self._add_envelopes(lines, part)

    def _add_envelopes(self, lines: list[FastLine], part: FastPart) -> None:
        versions = [line.version for line in lines]
        if {*map(len, versions)} != {VERSION_LENGTH} or _has_other_characters(versions, VERSION_CHARACTERS):
            raise LoadModeRequired(LoadMode.STRICT)
        part.newest_version = max(part.newest_version, *versions)
        part.oldest_version = min(part.oldest_version, *versions)
        # A greater text is no version, and must not become the high-water mark.
        if part.newest_version > GREATEST_VERSION:
            raise LoadModeRequired(LoadMode.STRICT)
        if _has_other_characters({line.owner for line in lines}, OWNER_CHARACTERS):
            raise LoadModeRequired(LoadMode.STRICT)
        request_ids = {line.request_id for line in lines}
        if max(map(len, request_ids)) > MAX_REQUEST_ID_LENGTH or _has_other_characters(
            request_ids, REQUEST_ID_CHARACTERS
        ):
            raise LoadModeRequired(LoadMode.STRICT)
        part.request_ids |= request_ids
        accepted_at = [line.accepted_at for line in lines]
        if not {*map(len, accepted_at)} <= ACCEPTED_AT_LENGTHS:
            raise LoadModeRequired(LoadMode.STRICT)
        try:
            oldest = msgspec.convert(min(accepted_at), AwareDatetime)
        except msgspec.ValidationError:
            raise LoadModeRequired(LoadMode.STRICT) from None
        part.oldest_accepted_at = min(part.oldest_accepted_at or oldest, oldest)


def _has_other_characters(texts: Iterable[str], allowed: bytes) -> bool:
    return bool("".join(texts).encode().translate(None, allowed))
