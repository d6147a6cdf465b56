"""Every error of the command, and the exit codes."""

EXIT_DONE = 0


EXIT_INCOMPLETE = 1


EXIT_USAGE_ERROR = 2


EXIT_INTERRUPTED = 130


class UsageError(Exception):
    """The operator's: the message is one sentence that says what to do instead. Exit code 2."""


class OperationError(Exception):
    """Not the operator's: the message is one sentence. Exit code 1."""


class WaitInterrupted(Exception):  # noqa: N818
    """The operator stopped waiting; the message says what goes on without. Exit code 130."""


class FunctionError(OperationError):
    """A function of the stack raised: `error` is the class, the message a sentence."""

    def __init__(self, function: str, error: str, message: str) -> None:
        super().__init__(f"{function} failed with {error}: {message}")
        self.error = error
        self.message = message
