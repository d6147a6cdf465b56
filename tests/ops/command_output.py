"""What a run of the command printed, and its exit code."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CommandOutput:
    """The exit code, standard output and standard error of one run."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The JSON document that `--json` prints."""
        return json.loads(self.stdout)

    def usage_error(self) -> str:
        """The error, with its hint, of a run that failed by a mistake of the operator."""
        assert self.exit_code == 2, self
        return self._read_error()

    def operation_error(self) -> str:
        """The error, with its hint, of a run that failed for another reason."""
        assert self.exit_code == 1, self
        return self._read_error()

    def _read_error(self) -> str:
        """The message, and the hint when there is one, separated by a space. Nothing else may be printed."""
        assert self.stdout == ""
        assert "Traceback" not in self.stderr
        message, *hints = self.stderr.splitlines()
        assert message.startswith("sluice: ")
        assert len(hints) <= 1
        assert all(hint.startswith("hint: ") for hint in hints)
        return " ".join([message.removeprefix("sluice: "), *(hint.removeprefix("hint: ") for hint in hints)])
