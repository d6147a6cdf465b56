"""Text for a terminal, plain enough to be pasted and searched."""

from collections.abc import Iterable, Sequence


def pairs(found: Iterable[tuple[str, str]]) -> list[str]:
    """Names and values, one pair a line, the values one below the other."""
    rows = list(found)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:{width}}  {value}" for name, value in rows]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns under a head; the last one is as long as it is."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def many(count: int, one: str, more: str = "") -> str:
    """A count and its noun: `1 batch`, `2 batches`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def batches(count: int) -> str:
    return many(count, "batch", "batches")


def size(count: int) -> str:
    """A number of bytes."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
