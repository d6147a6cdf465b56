"""Printing: an outcome once, on standard output; what is said besides on standard error."""

import json
import sys
from contextlib import suppress

from ops.outcome import Failure, Outcome


def say(outcome: Outcome, *, as_json: bool) -> None:
    """Print an outcome. Whoever closed the pipe has read enough. Raises Failure when it cannot be written."""
    text = json.dumps(outcome.document, indent=2) if as_json else "\n".join(map(plain, outcome.lines))
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        return
    except OSError as error:
        raise Failure(f"What was done could not be printed: {error.strerror}.") from None


def complain(text: str, end: str = "\n") -> None:
    """Say something on standard error, if anybody listens there."""
    # None where it is closed, which print would take for standard output.
    if sys.stderr is None:
        return
    with suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def plain(line: str) -> str:
    """A line without what would steer a terminal: a client chose some of the texts."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
