"""The stack is that of tests/stack."""

from tests.stack.conftest import memory, stack, stack_folder

__all__ = ["memory", "stack", "stack_folder"]
