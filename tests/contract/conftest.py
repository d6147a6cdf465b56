"""The stack is that of tests/stack."""

from tests.stack.conftest import stack

__all__ = ["stack"]
