"""Faults of the emulated Firehose."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.stack import Stack


@contextmanager
def firehose_fault(stack: Stack, fault: dict[str, Any]) -> Iterator[None]:
    """Make puts on the stream of the stack fail; local/emulator/firehose describes the faults."""
    file = stack.folder.root / "emulator" / "services" / "firehose" / "faults.json"
    file.parent.mkdir(parents=True, exist_ok=True)  # the first put creates it
    file.write_text(json.dumps({stack.outputs["StreamName"]: fault}))
    try:
        yield
    finally:
        file.unlink()
