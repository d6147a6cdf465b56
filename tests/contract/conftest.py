"""The stack is that of tests/stack."""

from tests.stack.conftest import stack, stack_folder

__all__ = ["stack", "stack_folder"]
