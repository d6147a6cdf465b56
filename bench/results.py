"""The file of results, and the short form of the benchmarks."""

import json
import os
from pathlib import Path
from typing import Any

RESULTS_FILE = Path(__file__).with_name("results.json")


def is_short() -> bool:
    """Whether SHORT=1 is set: the short form shows that everything runs, and saves no results."""
    return bool(os.environ.get("SHORT"))


def save_results(name: str, figures: dict[str, Any]) -> None:
    """Replace the figures of one benchmark in the file of results."""
    if is_short():
        return
    results = json.loads(RESULTS_FILE.read_text()) if RESULTS_FILE.exists() else {}
    RESULTS_FILE.write_text(json.dumps({**results, name: figures}, indent=1, sort_keys=True) + "\n")
