"""Parse and format times and durations."""

import datetime
import re

from ops.errors import UsageError

_AGE = re.compile(r"(\d+)([smhd])")


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


# The workflows know no time before it.
_EARLIEST = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def parse_time(text: str) -> datetime.datetime:
    """A time that has passed: RFC 3339 with a zone, a day (its midnight, UTC), or an age (`90m`, `2h`, `3d`).

    Raises Mistake.
    """
    now = datetime.datetime.now(datetime.UTC)
    if ago := _AGE.fullmatch(text):
        try:
            found = now - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            found = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        return _require_past(found, f"{text} ago", now)
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time; write 2026-11-25T04:00:00Z, 2026-11-25, or an age such as 2h."
        ) from None
    if _DAY.fullmatch(text):
        found = found.replace(tzinfo=datetime.UTC)
    if found.tzinfo is None:
        raise UsageError(f"{text!r} has no zone; write {text}Z for UTC.")
    return _require_past(found, text, now)


def _require_past(found: datetime.datetime, text: str, now: datetime.datetime) -> datetime.datetime:
    if found < _EARLIEST:
        raise UsageError(f"{text} is before all writes; for the beginning, leave the time out.")
    if found > now:
        raise UsageError(f"{text} is in the future: it is {format_time(now)}.")
    return found


def format_time(found: datetime.datetime) -> str:
    """A time in UTC, to the second, in the form that the workflows take."""
    return f"{found.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds_since(found: str | datetime.datetime) -> float:
    """Seconds since a time."""
    then = datetime.datetime.fromisoformat(found) if isinstance(found, str) else found
    return (datetime.datetime.now(datetime.UTC) - then).total_seconds()


def format_duration(seconds: float) -> str:
    """A number of seconds, in its two largest units."""
    whole = max(round(seconds), 0)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count or unit == parts[0][1])
