"""Say what a patch expects of MiniStack, and stop when it finds something else."""

import hashlib
import importlib.metadata
import inspect
from collections.abc import Callable
from typing import Any

VERSION = "1.5.33"


class UnexpectedError(Exception):
    """MiniStack is not what a patch was written for."""


def expect_version() -> None:
    """Raises UnexpectedError unless the pinned MiniStack is installed."""
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise UnexpectedError(f"The emulator's patches are written for MiniStack {VERSION}, but {found} is installed.")


def digest(source: Callable[..., Any] | type | str) -> str:
    """The first 12 hex digits of the SHA-256 of a function's source, or of a text."""
    text = source if isinstance(source, str) else inspect.getsource(source)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def replace(owner: Any, name: str, expected: str, new: Any) -> Any:
    """Put `new` in place of `owner.name`, whose source must have the digest `expected`; returns what was there.

    Raises UnexpectedError where the source is another one or the name is gone.
    """
    old = getattr(owner, name, None)
    if old is None:
        raise UnexpectedError(f"MiniStack has no {owner.__name__}.{name} any more, which the local emulator patches.")
    found = digest(old)
    if found != expected:
        raise UnexpectedError(
            f"MiniStack's {owner.__name__}.{name} has changed (digest {found}, expected {expected}): "
            "read it again and bring the patch in line."
        )
    setattr(owner, name, new)
    return old
