"""Lines of writes, packed into the stream's records: each record is billed as a multiple of 5 KiB."""

from collections.abc import Sequence

# A multiple of 5 KiB, so that a full pack is billed for little more than its lines. Why not larger: docs/decisions.md.
LARGEST_PACK = 100 * 1024


def packs(lines: Sequence[bytes], largest: int = LARGEST_PACK) -> list[range]:
    """Which lines make one record each, in their order; a line that is larger than a pack is one by itself."""
    found, start, size = [], 0, 0
    for position, length in enumerate(map(len, lines)):
        if size + length > largest and position > start:
            found.append(range(start, position))
            start, size = position, 0
        size += length
    return [*found, range(start, len(lines))] if lines else []


def packed(lines: Sequence[bytes], pack: range) -> bytes:
    """The record of a pack."""
    return b"".join(lines[pack.start : pack.stop])
