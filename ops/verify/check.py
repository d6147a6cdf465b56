"""A check of a deployed stack."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.errors import OperationError

if TYPE_CHECKING:
    from ops.verify.subject import Subject

# A deploy without a change of the template leaves such a change as it is.
UNDO_DRIFT = "If it was changed by hand, undo that: `aws cloudformation detect-stack-drift` shows what was."


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
