"""The local stack: the template, deployed to the emulator, with the database servers, the read cache and the edge."""

from local.stack.lifecycle import down, up
from local.stack.stack import Stack

__all__ = ["Stack", "down", "up"]
