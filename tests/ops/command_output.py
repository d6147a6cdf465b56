"""What a run of the command printed, and its exit code."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CommandOutput:
    """The exit code, standard output and standard error."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)

    def usage_error(self) -> str:
        """The one sentence of a mistake."""
        assert self.exit_code == 2, self
        return self._only_line()

    def operation_error(self) -> str:
        """The one sentence of a failure."""
        assert self.exit_code == 1, self
        return self._only_line()

    def _only_line(self) -> str:
        assert self.stdout == ""
        assert "Traceback" not in self.stderr
        (line,) = self.stderr.splitlines()
        assert line.startswith("sluice: ")
        return line.removeprefix("sluice: ")
