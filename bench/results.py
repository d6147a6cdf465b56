"""Where measurements are kept, and how long they may take."""

import json
import os
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("results.json")


def short() -> bool:
    """Whether a short form is asked for (SHORT=1): it proves that everything runs, and is not kept."""
    return bool(os.environ.get("SHORT"))


def keep(name: str, found: dict[str, Any]) -> None:
    """Keep what a measurement found under its name; the others stay."""
    if short():
        return
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    FILE.write_text(json.dumps({**kept, name: found}, indent=1, sort_keys=True) + "\n")
