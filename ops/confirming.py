"""Asking before something is destroyed."""

import sys

from ops.outcome import Mistake
from ops.saying import complain


def confirm(stack: str, what: str, yes: str | None) -> None:
    """Return if the operator means it: by the stack's name, typed now or given beforehand. Raises Mistake otherwise."""
    if yes is None and (sys.stdin is None or not sys.stdin.isatty()):
        raise Mistake(f"This {what}; to confirm it in a script, give --yes {stack}.")
    if yes is None:
        complain(f"This {what}.\nType the stack's name, {stack}, to go on: ", end="")
        yes = _typed()
    if yes != stack:
        raise Mistake(f"Nothing was done: {yes!r} is not the stack's name, which is {stack}.")


def _typed() -> str:
    line = ""
    try:
        line = sys.stdin.readline()
    finally:
        # After Ctrl-C or Ctrl-D what is said next would stand behind the question.
        if not line.endswith("\n"):
            complain("")
    return line.strip()
