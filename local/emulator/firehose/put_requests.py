"""What a put may contain, how Firehose rejects a request, and puts that fail on demand."""

import base64
import binascii
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_RECORD_BYTES = 1_024_000
MAX_REQUEST_RECORDS = 500
MAX_REQUEST_BYTES = 4 * 1024 * 1024


class RejectedRequestError(ValueError):
    """A request that gets an AWS error: `code` is its name, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def build_constraint_error(member: str, value: object, rule: str) -> RejectedRequestError:
    """Build AWS's error for a value that violates a constraint of the service's model."""
    shown = "null" if value is None else f"'{value}'"
    return RejectedRequestError(
        "ValidationException",
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint: Member must {rule}",
    )


def build_unavailable_error() -> RejectedRequestError:
    return RejectedRequestError(
        "ServiceUnavailableException", "Service is unavailable. Back off and retry the operation.", 503
    )


def read_record(data: dict[str, Any]) -> bytes:
    """Return the bytes of a PutRecord request. Raises RejectedRequestError."""
    return _decode_entry(data.get("Record"), "record")


def read_records(data: dict[str, Any]) -> list[bytes]:
    """Return the bytes of each of the 1 to 500 records of a PutRecordBatch request. Raises RejectedRequestError."""
    entries = data.get("Records")
    if not isinstance(entries, list):
        raise build_constraint_error("records", None, "not be null")
    if not entries:
        raise build_constraint_error("records", "[]", "have length greater than or equal to 1")
    if len(entries) > MAX_REQUEST_RECORDS:
        raise build_constraint_error("records", "[...]", f"have length less than or equal to {MAX_REQUEST_RECORDS}")
    records = [_decode_entry(entry, f"records.{number}.member") for number, entry in enumerate(entries, 1)]
    if sum(map(len, records)) > MAX_REQUEST_BYTES:
        raise RejectedRequestError("InvalidArgumentException", "Records size exceeds 4 MB limit")
    return records


def _decode_entry(entry: Any, member: str) -> bytes:
    if not isinstance(entry, dict):
        raise build_constraint_error(member, None, "not be null")
    text = entry.get("Data")
    if not isinstance(text, str):
        raise build_constraint_error(f"{member}.data", None, "not be null")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RejectedRequestError("SerializationException", f"{member}.data is not base64") from None
    if len(data) > MAX_RECORD_BYTES:
        shown = f"java.nio.HeapByteBuffer[pos=0 lim={len(data)} cap={len(data)}]"
        rule = f"have length less than or equal to {MAX_RECORD_BYTES}"
        raise build_constraint_error(f"{member}.data", shown, rule)
    return data


@dataclass
class _Fault:
    """`puts` still fail (-1: all). `debt` is the number of entries, a fraction too, that must still fail."""

    puts: int
    share: float | None
    debt: float = 0.0


class ForcedFaults:
    """Makes puts fail for tests. The docstring of the package describes the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file_version: tuple[int, int] | None = None
        self._faults: dict[str, _Fault] = {}

    def select_failing_entries(self, stream: str, entries: int) -> set[int] | None:
        """Return the positions of the entries of a put that must fail, or None if the whole put must fail."""
        with self._lock:
            self._reload_changed_file()
            fault = self._faults.get(stream) or self._faults.get("*")
            if fault is None or fault.puts == 0:
                return set()
            fault.puts -= fault.puts > 0
            if fault.share is None:
                return None
            failing = set()
            for position in range(entries):
                # Failures are spread evenly, not at random, so that a test can predict them.
                fault.debt += fault.share
                if fault.debt >= 1:
                    fault.debt -= 1
                    failing.add(position)
            return failing

    def _reload_changed_file(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._file_version, self._faults = None, {}
            return
        if self._file_version == (status.st_mtime_ns, status.st_ino):
            return
        self._file_version = status.st_mtime_ns, status.st_ino
        content: dict[str, dict[str, Any]] = json.loads(self._path.read_text())
        self._faults = {
            name: _Fault(fault.get("fail_puts", -1), fault.get("fail_share")) for name, fault in content.items()
        }
