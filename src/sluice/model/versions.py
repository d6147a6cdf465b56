"""Versions: ULIDs that never go back within one process, even when its clock does."""

import datetime
import os
import threading
import time
from functools import cache

from ulid import ULID

VERSION_LENGTH = 26
VERSION_CHARACTERS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
# The greatest version that exists, and a text that is greater than every version.
GREATEST_VERSION, ABOVE_ALL_VERSIONS = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "~"


_DIGITS = VERSION_CHARACTERS.decode()  # five bits each


_lock = threading.Lock()


_last = 0


def new_version() -> str:
    """Return a version greater than every one that this process gave out before."""
    return new_versions(1)[0]


def new_versions(count: int) -> list[str]:
    """Return versions in their order, each greater than the one before and than all that this process gave out."""
    global _last  # noqa: PLW0603  a process has one order of versions
    now = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    with _lock:
        first = max(now, _last + 1)
        _last = first + count - 1
    return _texts(first, count)


def _texts(first: int, count: int) -> list[str]:
    """The texts of numbers that follow one another: most share all but their last two digits."""
    pairs, texts, number = _pairs(), list[str](), first
    while len(texts) < count:
        head = "".join([pairs[number >> bits & 1023] for bits in range(120, 0, -10)])
        low = number & 1023
        texts += [head + pair for pair in pairs[low : low + count - len(texts)]]
        number += 1024 - low
    return texts


@cache
def _pairs() -> list[str]:
    return [left + right for left in _DIGITS for right in _DIGITS]


def is_version(text: str) -> bool:
    """Whether a text is a version as we write it: a ULID in capitals."""
    try:
        return len(text) == VERSION_LENGTH and str(ULID.from_str(text)) == text
    except ValueError:
        return False


def version_age_seconds(version: str) -> float:
    """Seconds since a version was given out; less than 0 for one of the future, which nobody gave out."""
    return time.time() - ULID.from_str(version).milliseconds / 1000


def version_time(version: str) -> datetime.datetime:
    """When a version was given out, in UTC, to the millisecond."""
    return ULID.from_str(version).datetime
