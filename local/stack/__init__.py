"""The local stack: the deployed template on the emulator, against the database pair."""

from local.stack.lifecycle import down, up
from local.stack.stack import Stack

__all__ = ["Stack", "down", "up"]
