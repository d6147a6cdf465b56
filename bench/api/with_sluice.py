"""The API's own handlers."""

import importlib
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def handler(function: str) -> Handler:
    """Import a function's handler."""
    found: Handler = importlib.import_module(f"sluice.handlers.{function}").handle
    return found
