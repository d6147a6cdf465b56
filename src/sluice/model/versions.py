"""Versions of writes: ULIDs that ascend within one process, even if its clock goes back."""

import datetime
import os
import threading
import time
from functools import cache

from ulid import ULID

VERSION_LENGTH = 26
VERSION_CHARACTERS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, five bits each
# The greatest version that exists, and a text that is greater than every version.
GREATEST_VERSION, ABOVE_ALL_VERSIONS = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "~"

_DIGITS = VERSION_CHARACTERS.decode()

_lock = threading.Lock()
_last_number = 0


def new_version() -> str:
    """Return a version that is greater than every version that this process returned before."""
    return new_versions(1)[0]


def new_versions(count: int) -> list[str]:
    """Return ascending versions that are greater than every version that this process returned before."""
    global _last_number  # noqa: PLW0603  a process has one order of versions
    now = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    with _lock:
        first = max(now, _last_number + 1)
        _last_number = first + count - 1
    return _encode_consecutive(first, count)


def _encode_consecutive(first: int, count: int) -> list[str]:
    """Encode consecutive numbers. Most of them share all digits except the last two."""
    pairs, texts, number = _list_digit_pairs(), list[str](), first
    while len(texts) < count:
        head = "".join([pairs[number >> bits & 1023] for bits in range(120, 0, -10)])
        low = number & 1023
        texts += [head + pair for pair in pairs[low : low + count - len(texts)]]
        number += 1024 - low
    return texts


@cache
def _list_digit_pairs() -> list[str]:
    return [left + right for left in _DIGITS for right in _DIGITS]


def is_version(text: str) -> bool:
    """Whether a text is a version: a ULID in capitals."""
    try:
        return len(text) == VERSION_LENGTH and str(ULID.from_str(text)) == text
    except ValueError:
        return False


def version_age_seconds(version: str) -> float:
    """Return how long ago a version was created. It is negative for a version that names a time in the future."""
    return time.time() - ULID.from_str(version).milliseconds / 1000


def version_time(version: str) -> datetime.datetime:
    """Return the time, in UTC, at which a version was created, to the millisecond."""
    return ULID.from_str(version).datetime
