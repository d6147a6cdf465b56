"""What an ended execution means for whoever waited for it."""

from ops.outcome import Failure, Mistake
from ops.stack import ASKED_WRONG
from ops.workflows import Execution


def succeeded(execution: Execution) -> Execution:
    """The execution, if it succeeded. Raises Mistake where its input was wrong, Failure with a sentence otherwise."""
    if execution.status == "SUCCEEDED":
        return execution
    if execution.error in ASKED_WRONG:
        raise Mistake(execution.said)
    raise Failure(failure(execution))


def failure(execution: Execution) -> str:
    """One sentence on an execution that did not succeed."""
    ended = {"FAILED": "failed", "ABORTED": "was stopped", "TIMED_OUT": "ran out of time"}
    verb = ended.get(execution.status, execution.status.lower())
    error = f" with {execution.error}" if execution.error else ""
    said = f": {execution.said.rstrip('.')}" if execution.said else ""
    return f"{execution.workflow} {verb}{error}{said}. (execution {execution.name})"
