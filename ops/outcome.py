"""How a verb ends: its exit code, what it prints, and the two ways in which it fails."""

from dataclasses import dataclass, field
from typing import Any

DONE = 0
REMAINS = 1
MISTAKE = 2
INTERRUPTED = 130


class Mistake(Exception):  # noqa: N818
    """The operator's: the message is one sentence that says what to do instead. Exit code 2."""


class Failure(Exception):  # noqa: N818
    """Not the operator's: the message is one sentence. Exit code 1."""


class Interrupted(Exception):  # noqa: N818
    """The operator stopped waiting; the message says what goes on without. Exit code 130."""


@dataclass(frozen=True)
class Outcome:
    """What a verb came to: `document` is what `--json` prints, `lines` are for a person."""

    document: Any
    lines: list[str] = field(default_factory=list)
    code: int = DONE
