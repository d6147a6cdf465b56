"""Every error of the command, and the exit codes.

CommandError             the command failed; `hint` says what to do next
├── UsageError           exit code 2: the operator can correct the command line or the environment
├── OperationError       exit code 1: the operation failed
│   └── FunctionError    a function of the stack raised an error
└── WaitInterrupted      exit code 130: the operator stopped waiting; the operation continues
"""

EXIT_DONE = 0
EXIT_INCOMPLETE = 1
EXIT_USAGE_ERROR = 2
EXIT_INTERRUPTED = 130


class CommandError(Exception):
    """A failed command. `message` and `hint` are a sentence each; the hint may be empty."""

    exit_code = EXIT_INCOMPLETE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(CommandError):
    """The operator can correct it. The hint says how."""

    exit_code = EXIT_USAGE_ERROR


class OperationError(CommandError):
    """The operation failed for a reason that is not on the command line."""


class FunctionError(OperationError):
    """A function of the stack raised an error: `error` is its class, `reason` its message."""

    def __init__(self, function: str, error: str, reason: str) -> None:
        super().__init__(f"{function} failed with {error}: {reason}")
        self.error = error
        self.reason = reason


class WaitInterrupted(CommandError):  # noqa: N818
    """The operator stopped waiting. The message says what continues."""

    exit_code = EXIT_INTERRUPTED
