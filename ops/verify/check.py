"""A check of a deployed stack, and its outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ops.errors import OperationError

if TYPE_CHECKING:
    from ops.verify.subject import Subject

Status = Literal["passed", "failed", "not applicable"]


class CheckFailed(OperationError):  # noqa: N818
    """The stack does not do what the check proves. `message` is one sentence, `hint` the way out."""


class NotApplicable(Exception):  # noqa: N818
    """The stack has nothing that the check could prove. The message is the reason, one sentence."""


@dataclass(frozen=True)
class Check:
    """What a check proves, and how: `run` returns what it saw, in a few words.

    It raises CheckFailed, NotApplicable, another CommandError, or the exceptions of botocore.
    """

    name: str
    proves: str
    run: "Callable[[Subject], str]"


@dataclass(frozen=True)
class Outcome:
    """The result of a check. `message` says what was seen, what is wrong, or why it is not applicable."""

    check: str
    status: Status
    message: str
    hint: str
    seconds: float

    def to_line(self) -> tuple[str, str, str, str]:
        """The cells of the line for a person."""
        return self.check, self.status, f"{self.seconds:.0f} s", f"{self.message} {self.hint}".rstrip()
