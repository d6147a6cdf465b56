"""The API's own handlers."""

import importlib
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def load_handler(function: str) -> Handler:
    """Import the handler of a function."""
    handler: Handler = importlib.import_module(f"sluice.handlers.{function}").handle
    return handler
