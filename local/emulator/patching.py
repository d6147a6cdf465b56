"""Replace functions of MiniStack, after a check that they are the functions that the patch was written for."""

import hashlib
import importlib.metadata
import inspect
from collections.abc import Callable
from typing import Any

MINISTACK_VERSION = "1.5.33"


class UnexpectedMiniStackError(Exception):
    """MiniStack is not the one that a patch was written for."""


def check_version() -> None:
    """Raise UnexpectedMiniStackError unless the pinned version of MiniStack is installed."""
    installed = importlib.metadata.version("ministack")
    if installed != MINISTACK_VERSION:
        raise UnexpectedMiniStackError(
            f"The emulator's patches need MiniStack {MINISTACK_VERSION}, but {installed} is installed."
        )


def compute_digest(source: Callable[..., Any] | type | str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a text, or of the source of a function or class."""
    text = source if isinstance(source, str) else inspect.getsource(source)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def replace_function(owner: Any, name: str, expected_digest: str, replacement: Any) -> Any:
    """Set `owner.name` to `replacement` and return the original, whose source must have the expected digest.

    Raises UnexpectedMiniStackError if the digest differs or the name does not exist.
    """
    original = getattr(owner, name, None)
    if original is None:
        raise UnexpectedMiniStackError(
            f"MiniStack no longer has {owner.__name__}.{name}, which the local emulator patches."
        )
    digest = compute_digest(original)
    if digest != expected_digest:
        raise UnexpectedMiniStackError(
            f"MiniStack's {owner.__name__}.{name} has changed (digest {digest}, expected {expected_digest}): "
            "read the new source and adapt the patch."
        )
    setattr(owner, name, replacement)
    return original
