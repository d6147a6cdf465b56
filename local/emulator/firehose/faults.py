"""Puts that fail on demand, for tests of what a client does then. The file is described in the package's docstring."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class _Fault:
    puts: int
    share: float | None
    owed: float = 0.0


class Faults:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._faults: dict[str, _Fault] = {}

    def failing(self, stream: str, entries: int) -> set[int] | None:
        """Which entries of a put must fail, by position; None when the put as a whole must."""
        with self._lock:
            self._reread()
            fault = self._faults.get(stream) or self._faults.get("*")
            if fault is None or fault.puts == 0:
                return set()
            fault.puts -= fault.puts > 0
            if fault.share is None:
                return None
            failing = set()
            for position in range(entries):
                # Evenly spread and not at random, so that a test knows what comes.
                fault.owed += fault.share
                if fault.owed >= 1:
                    fault.owed -= 1
                    failing.add(position)
            return failing

    def _reread(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._faults = None, {}
            return
        if self._seen == (status.st_mtime_ns, status.st_ino):
            return
        self._seen = status.st_mtime_ns, status.st_ino
        given: dict[str, dict[str, Any]] = json.loads(self._path.read_text())
        self._faults = {
            name: _Fault(fault.get("fail_puts", -1), fault.get("fail_share")) for name, fault in given.items()
        }
