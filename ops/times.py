"""Parse and format times and durations."""

import datetime
import re

from ops.errors import UsageError

_AGE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# The workflows accept no earlier time.
_EARLIEST = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def parse_time(text: str) -> datetime.datetime:
    """Parse a past time: RFC 3339 with a time zone, a day (midnight UTC), or an age (`90m`, `2h`, `3d`).

    Raises UsageError.
    """
    now = datetime.datetime.now(datetime.UTC)
    if age := _AGE.fullmatch(text):
        try:
            time = now - datetime.timedelta(**{_UNITS[age[2]]: int(age[1])})
        except OverflowError:
            time = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        return _require_past(time, f"{text} ago", now)
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time.", "Write 2026-11-25T04:00:00Z, 2026-11-25, or an age such as 2h."
        ) from None
    if _DAY.fullmatch(text):
        time = time.replace(tzinfo=datetime.UTC)
    if time.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone.", f"Write {text}Z for UTC.")
    return _require_past(time, text, now)


def _require_past(time: datetime.datetime, text: str, now: datetime.datetime) -> datetime.datetime:
    if time < _EARLIEST:
        raise UsageError(f"{text} is before all writes.", "To start from the beginning, omit the option.")
    if time > now:
        raise UsageError(f"{text} is in the future: it is now {format_time(now)}.")
    return time


def format_time(time: datetime.datetime) -> str:
    """A time in UTC to the second, in the format that the workflows accept."""
    return f"{time.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds_since(time: str | datetime.datetime) -> float:
    """Seconds from a time (RFC 3339 when it is a string) until now."""
    start = datetime.datetime.fromisoformat(time) if isinstance(time, str) else time
    return (datetime.datetime.now(datetime.UTC) - start).total_seconds()


def format_duration(seconds: float) -> str:
    """A duration in its two largest units: `1 h 2 min`."""
    whole = max(round(seconds), 0)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count or unit == parts[0][1])
