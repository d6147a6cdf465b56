"""Where measurements are kept, and how long they may take."""

import json
import os
from pathlib import Path
from typing import Any

RESULTS_FILE = Path(__file__).with_name("results.json")


def is_short() -> bool:
    """Whether a short form is asked for (SHORT=1): it proves that everything runs, and is not kept."""
    return bool(os.environ.get("SHORT"))


def save_results(name: str, figures: dict[str, Any]) -> None:
    """Keep what a measurement found under its name; the others stay."""
    if is_short():
        return
    kept = json.loads(RESULTS_FILE.read_text()) if RESULTS_FILE.exists() else {}
    RESULTS_FILE.write_text(json.dumps({**kept, name: figures}, indent=1, sort_keys=True) + "\n")
