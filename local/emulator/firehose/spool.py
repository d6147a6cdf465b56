"""Accepted records on disk until they are delivered, so that killing the emulator loses none of them.

A stream's folder holds segments: files of JSON lines. The first line names the ways that its records have to go, then
comes one line per record, and at the end one line per way that is done. The last segment is written to; a segment
that is closed and done goes away. Nothing is synced: a killed process does not lose what it gave to the kernel.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DELIVERY, BACKUP = "delivery", "backup"
_SEGMENT_BYTES = 8 * 1024 * 1024
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Record:
    """One record: as it was put, or as the transform made it. `arrived` in milliseconds since the epoch, `segment`
    where the one that was put is kept."""

    id: str
    arrived: int
    data: bytes
    segment: "Segment"


class Segment:
    """Not locked: its stream holds the lock."""

    def __init__(self, path: Path, ways: Sequence[str]) -> None:
        self.ways = tuple(ways)
        self._path = path
        self._left = dict.fromkeys(ways, 0)
        self._closed = False
        self.size = 0

    def count(self, number: int, ways: Sequence[str]) -> None:
        for way in ways:
            self._left[way] += number

    def write(self, text: str, *, new: bool = False) -> None:
        """Append in one write. Raises FileNotFoundError when the segment was discarded."""
        flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if new else 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            encoded = text.encode()
            self.size += len(encoded)
            while encoded:
                encoded = encoded[os.write(descriptor, encoded) :]
        finally:
            os.close(descriptor)

    def settle(self, way: str) -> None:
        """One record has gone this way."""
        self._left[way] -= 1
        self._tidy(way)

    def close(self) -> None:
        self._closed = True
        for way in self.ways:
            self._tidy(way)

    def _tidy(self, way: str) -> None:
        if not self._closed or self._left[way]:
            return
        if not any(self._left.values()):
            self._path.unlink(missing_ok=True)
            return
        with contextlib.suppress(FileNotFoundError):
            self.write(json.dumps({"done": way}) + "\n")


class Spool:
    """The segments of one stream. Not locked: its stream holds the lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current: Segment | None = None

    def append(self, payloads: Sequence[bytes], ways: Sequence[str]) -> list[Record]:
        """Keep the records of one request. Raises OSError when they cannot be kept: then nothing was accepted."""
        segment = self._current
        if segment is None or segment.ways != tuple(ways) or segment.size > _SEGMENT_BYTES:
            segment = self._open(ways)
        arrived = time.time_ns() // 1_000_000
        records = [Record(_record_id(), arrived, payload, segment) for payload in payloads]
        segment.write("".join(map(_line, records)))
        segment.count(len(records), ways)
        return records

    def roll(self) -> None:
        """Close the current segment: what comes later has another fate."""
        if self._current is not None:
            self._current.close()
            self._current = None

    def reload(self) -> Iterator[tuple[Record, tuple[str, ...]]]:
        """What an earlier process left: each record with the ways it still has to go."""
        for path in sorted(self._folder.glob("*.jsonl")):
            lines = [line for line in map(_parsed, path.read_bytes().splitlines(keepends=True)) if line]
            done = {line["done"] for line in lines if "done" in line}
            ways = tuple(way for line in lines if "ways" in line for way in line["ways"] if way not in done)
            segment = Segment(path, ways)
            found = [line for line in lines if "id" in line]
            segment.count(len(found), ways)
            segment.close()
            for line in found:
                data = base64.b64decode(str(line["data"]))
                yield Record(str(line["id"]), int(str(line["at"])), data, segment), ways

    def discard(self) -> None:
        self._current = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self, ways: Sequence[str]) -> Segment:
        self.roll()
        self._folder.mkdir(parents=True, exist_ok=True)
        segment = Segment(self._folder / f"{time.time_ns():020d}-{next(_numbers):06d}.jsonl", ways)
        segment.write(json.dumps({"ways": list(ways)}) + "\n", new=True)
        self._current = segment
        return segment


def _record_id() -> str:
    return f"{time.time_ns():020d}{next(_numbers):012d}000000"


def _line(record: Record) -> str:
    return f'{{"id":"{record.id}","at":{record.arrived},"data":"{base64.b64encode(record.data).decode()}"}}\n'


def _parsed(line: bytes) -> dict[str, str]:
    # A line cut short by the end of the process belongs to a put that was never answered.
    try:
        return dict(json.loads(line)) if line.endswith(b"\n") else {}
    except ValueError:
        return {}
