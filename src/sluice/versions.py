"""Versions: ULIDs that never go back within one process, even when its clock does."""

import datetime
import threading
import time

from ulid import ULID

LENGTH = 26

_lock = threading.Lock()
_last = ULID.from_int(0)


def new_version() -> str:
    """Return a version greater than every one that this process gave out before."""
    global _last  # noqa: PLW0603  a process has one order of versions
    with _lock:
        _last = max(ULID(), ULID.from_int(int(_last) + 1))
        return str(_last)


def is_version(text: str) -> bool:
    """Whether a text is a version as we write it: a ULID in capitals."""
    try:
        return len(text) == LENGTH and str(ULID.from_str(text)) == text
    except ValueError:
        return False


def age(version: str) -> float:
    """Seconds since a version was given out; less than 0 for one of the future, which nobody gave out."""
    return time.time() - ULID.from_str(version).milliseconds / 1000


def moment(version: str) -> datetime.datetime:
    """When a version was given out, in UTC, to the millisecond."""
    return ULID.from_str(version).datetime
