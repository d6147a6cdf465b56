"""What a start of the emulator found that the one before could not finish, because it was killed.

It has only the standard library, because `make up` reads the report.
"""

import json
from pathlib import Path

_MARK, _REPORT = "running", "restart.json"
_counts: dict[str, int] = {}
_folder: list[Path] = []


def begin(folder: Path) -> None:
    """Call it first. `folder` keeps the mark of a running emulator, and the report of a start after a kill."""
    (folder / _REPORT).unlink(missing_ok=True)
    _counts.clear()
    _folder[:] = [folder]
    if (folder / _MARK).exists():
        _write()
    (folder / _MARK).touch()


def add(subject: str, number: int) -> None:
    """Count something that this start repairs. `subject` reads well before a colon."""
    _counts[subject] = _counts.get(subject, 0) + number
    if (_folder[0] / _REPORT).exists():
        _write()


def end() -> None:
    """Call it when the state is saved and the process is about to end."""
    (_folder[0] / _MARK).unlink(missing_ok=True)


def _write() -> None:
    (_folder[0] / _REPORT).write_text(json.dumps(_counts))


def read_report(folder: Path) -> str:
    """One sentence on the last start, or an empty text if the emulator before it was not killed."""
    try:
        counts: dict[str, int] = json.loads((folder / _REPORT).read_text())
    except (FileNotFoundError, ValueError):
        return ""
    repaired = "".join(f"; {subject}: {number:,}" for subject, number in counts.items() if number)
    return f"the emulator had been killed, and its state is back{repaired}"
