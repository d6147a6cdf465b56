"""Accepted records on disk until they are delivered, so that a killed emulator loses none of them.

The folder of a stream contains segments: files of JSON lines. The first line names the routes (delivery, backup) of its
records. Then comes one line per record, and at the end one line per route that is done. Only the last segment is open
for writes. A closed segment is deleted when all its routes are done. Nothing is synced: after a kill the kernel still
has what the process wrote.
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
_MAX_SEGMENT_BYTES = 8 * 1024 * 1024
_sequence_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Record:
    """One record, as the client put it or as the transform returned it.

    `arrived_at` is in milliseconds since the epoch. `segment` stores the record that the client put.
    """

    id: str
    arrived_at: int
    data: bytes
    segment: "Segment"


class Segment:
    """A file of records. It has no lock: its stream holds one."""

    def __init__(self, path: Path, routes: Sequence[str]) -> None:
        self.routes = tuple(routes)
        self._path = path
        self._pending = dict.fromkeys(routes, 0)
        self._is_closed = False
        self.size_bytes = 0

    def add_pending(self, number: int, routes: Sequence[str]) -> None:
        for route in routes:
            self._pending[route] += number

    def write(self, text: str, *, new: bool = False) -> None:
        """Append a text. Raises FileNotFoundError if the segment was discarded."""
        flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if new else 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            encoded = text.encode()
            self.size_bytes += len(encoded)
            while encoded:
                encoded = encoded[os.write(descriptor, encoded) :]
        finally:
            os.close(descriptor)

    def mark_delivered(self, route: str) -> None:
        """Count one record as delivered on this route."""
        self._pending[route] -= 1
        self._finish_route(route)

    def close(self) -> None:
        self._is_closed = True
        for route in self.routes:
            self._finish_route(route)

    def _finish_route(self, route: str) -> None:
        if not self._is_closed or self._pending[route]:
            return
        if not any(self._pending.values()):
            self._path.unlink(missing_ok=True)
            return
        with contextlib.suppress(FileNotFoundError):
            self.write(json.dumps({"done": route}) + "\n")


class Spool:
    """The segments of one stream. It has no lock: its stream holds one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current: Segment | None = None

    def append_records(self, payloads: Sequence[bytes], routes: Sequence[str]) -> list[Record]:
        """Store the records of one request. Raises OSError if they cannot be stored: then none is accepted."""
        segment = self._current
        if segment is None or segment.routes != tuple(routes) or segment.size_bytes > _MAX_SEGMENT_BYTES:
            segment = self._open_segment(routes)
        arrived_at = time.time_ns() // 1_000_000
        records = [Record(_create_record_id(), arrived_at, payload, segment) for payload in payloads]
        segment.write("".join(map(_format_line, records)))
        segment.add_pending(len(records), routes)
        return records

    def close_segment(self) -> None:
        """Close the current segment. Later records go to another one, because they are delivered in another group."""
        if self._current is not None:
            self._current.close()
            self._current = None

    def reload(self) -> Iterator[tuple[Record, tuple[str, ...]]]:
        """Return the records that an earlier process left, each with its remaining routes."""
        for path in sorted(self._folder.glob("*.jsonl")):
            lines = [line for line in map(_parse_line, path.read_bytes().splitlines(keepends=True)) if line]
            done = {line["done"] for line in lines if "done" in line}
            routes = tuple(route for line in lines if "routes" in line for route in line["routes"] if route not in done)
            segment = Segment(path, routes)
            record_lines = [line for line in lines if "id" in line]
            segment.add_pending(len(record_lines), routes)
            segment.close()
            for line in record_lines:
                data = base64.b64decode(str(line["data"]))
                yield Record(str(line["id"]), int(str(line["at"])), data, segment), routes

    def discard(self) -> None:
        self._current = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open_segment(self, routes: Sequence[str]) -> Segment:
        self.close_segment()
        self._folder.mkdir(parents=True, exist_ok=True)
        segment = Segment(self._folder / f"{time.time_ns():020d}-{next(_sequence_numbers):06d}.jsonl", routes)
        segment.write(json.dumps({"routes": list(routes)}) + "\n", new=True)
        self._current = segment
        return segment


def _create_record_id() -> str:
    return f"{time.time_ns():020d}{next(_sequence_numbers):012d}000000"


def _format_line(record: Record) -> str:
    return f'{{"id":"{record.id}","at":{record.arrived_at},"data":"{base64.b64encode(record.data).decode()}"}}\n'


def _parse_line(line: bytes) -> dict[str, str]:
    # The end of the process may have cut the last line. It belongs to a put that got no response.
    try:
        return dict(json.loads(line)) if line.endswith(b"\n") else {}
    except ValueError:
        return {}
