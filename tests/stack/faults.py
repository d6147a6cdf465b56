"""Firehose, made to fail."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.stack import Stack


@contextmanager
def firehose_fault(stack: Stack, fault: dict[str, Any]) -> Iterator[None]:
    """Let puts on the stack's stream fail: see local/emulator/firehose for what a fault can be."""
    file = stack.folder.root / "emulator" / "services" / "firehose" / "faults.json"
    file.parent.mkdir(parents=True, exist_ok=True)  # the first put makes it
    file.write_text(json.dumps({stack.outputs["StreamName"]: fault}))
    try:
        yield
    finally:
        file.unlink()
