"""The stack that the drills run on is that of tests/stack."""

from tests.stack.conftest import client, machine, machine_token, person, stack, stack_folder

__all__ = ["client", "machine", "machine_token", "person", "stack", "stack_folder"]
