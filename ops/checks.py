"""Checks of a deployment: each prints one line, and a failed one says what to do.

`sluice preflight` and `sluice verify` use them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ops.errors import EXIT_DONE, EXIT_INCOMPLETE
from ops.output import CommandResult, format_count

State = Literal["ok", "warning", "failed", "not applicable"]


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: its name, its state, what it saw in one sentence, and what to do about it."""

    name: str
    state: State
    message: str
    hint: str = ""

    @property
    def line(self) -> str:
        """The line for a person, without the name's padding."""
        return f"{self.message} {self.hint}".rstrip()


def build_checks_result(results: Sequence[CheckResult]) -> CommandResult:
    """The result of a command that runs checks: exit code 1 when one of them failed."""
    names = max(len(result.name) for result in results)
    states = max(len(result.state) for result in results)
    lines = [f"{result.state:{states}}  {result.name:{names}}  {result.line}" for result in results]
    failed = sum(1 for result in results if result.state == "failed")
    warnings = sum(1 for result in results if result.state == "warning")
    summary = f"{format_count(len(results), 'check')}: {failed} failed, {format_count(warnings, 'warning')}"
    document = {"failed": failed, "warnings": warnings, "checks": [vars(result) for result in results]}
    return CommandResult(document, [*lines, "", summary], EXIT_INCOMPLETE if failed else EXIT_DONE)
