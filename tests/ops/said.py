"""What the command said, in a process of its own or in the tests'."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """The exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    def mistake(self) -> str:
        """The one sentence of a mistake."""
        assert self.code == 2, self
        return self._sentence()

    def failure(self) -> str:
        """The one sentence of a failure."""
        assert self.code == 1, self
        return self._sentence()

    def _sentence(self) -> str:
        assert self.out == ""
        assert "Traceback" not in self.err
        (line,) = self.err.splitlines()
        assert line.startswith("sluice: ")
        return line.removeprefix("sluice: ")
