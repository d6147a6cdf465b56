"""Objects as a replay reads them: the archive's normalised as the transform did, and narrowed to some collections."""

from collections.abc import Callable

import msgspec

from sluice.load.batch_reader import BatchObject, open_batch
from sluice.model.record import split_joined_records

BatchOpener = Callable[[str, str], BatchObject]


class _Collection(msgspec.Struct):
    collection: str


_collection = msgspec.json.Decoder(_Collection)


def make_batch_opener(
    *, archived: bool, collections: frozenset[str], open_batch: BatchOpener = open_batch
) -> BatchOpener:
    """A way to open objects whose text is what is to be loaded of them.

    A line's number is then that among the lines that are left.
    """

    def change(block: bytes) -> bytes:
        lines = list(split_joined_records(block)) if archived else block.removesuffix(b"\n").split(b"\n")
        if collections:
            lines = [line for line in lines if _is_in_collections(line, collections)]
        return b"".join(line + b"\n" for line in lines)

    def open_changed(bucket: str, key: str) -> BatchObject:
        found = open_batch(bucket, key)
        return BatchObject(found.key, found.etag, found.body, change)

    return open_changed


def _is_in_collections(line: bytes, collections: frozenset[str]) -> bool:
    """Whether to keep a line. One that is no write is kept, so that its batch is known as unreadable."""
    try:
        return _collection.decode(line).collection in collections
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return True
