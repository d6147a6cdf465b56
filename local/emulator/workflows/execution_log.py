"""The starts and ends of executions in a file, so that a kill loses none of them.

Each line is one record as a whole, so the last line of a record counts. The file is emptied when the state of Step
Functions, which contains the same records, is saved.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core import persistence

Key = tuple[str, str, str]
"""Account, region and ARN of a record."""


class ExecutionLog:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def append(self, store: str, record_arn: str, record: dict[str, Any]) -> None:
        """Store a record of MiniStack's store of this name. Raises OSError."""
        _, _, _, region, account, *_ = record_arn.split(":")
        text = json.dumps([store, account, region, record_arn, record], default=persistence._json_default) + "\n"
        encoded = text.encode()
        with self._lock:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                while encoded:
                    encoded = encoded[os.write(descriptor, encoded) :]
            finally:
                os.close(descriptor)

    def read(self) -> Iterator[tuple[str, Key, dict[str, Any]]]:
        """Return the records in the order of their storage, each with the name of its store."""
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        for line in lines:
            # The end of the process may have cut the last line. Nobody has got a response for it.
            with contextlib.suppress(ValueError):
                store, account, region, arn, record = json.loads(line)
                yield store, (account, region, arn), record

    @contextlib.contextmanager
    def empty(self) -> Iterator[None]:
        """Remove all records if the block, in which nothing can be added, ends without an error."""
        with self._lock:
            yield
            self._path.unlink(missing_ok=True)
