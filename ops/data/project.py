"""The checkout's own Python, which has what a resource class imports: check classes, validate items, format files.

The operators' command has an environment of its own and imports nothing of `src`, so these run as other processes.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperationError, UsageError


@dataclass(frozen=True)
class Project:
    """A checkout."""

    root: Path

    @property
    def resources(self) -> Path:
        return self.root / "src" / "resources"

    @property
    def tests(self) -> Path:
        return self.root / "tests" / "resources"

    @property
    def python(self) -> Path:
        """The interpreter of the checkout. Raises UsageError for one that is not set up."""
        python = self.root / ".venv" / "bin" / "python"
        if not python.exists():
            raise UsageError("The checkout is not set up.", "Run `make setup` first.")
        return python

    def find_class_faults(self) -> list[str]:
        """A sentence for each faulty resource class."""
        return self._run("check").decode().splitlines()

    def find_invalid_items(self, collection: str, lines: Iterable[bytes]) -> list[tuple[int, str]]:
        """Validate lines of JSON with a resource class. Returns the number and the fault of the first invalid ones."""
        return [tuple(json.loads(line)) for line in self._run("validate", collection, lines=lines).splitlines()]

    def _run(self, *words: str, lines: Iterable[bytes] = ()) -> bytes:
        """Run `python -m sluice.model`, and return its output. Raises OperationError when it breaks off."""
        environment = {**os.environ, "PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        # Files, because a pipe that nobody reads would stop the process.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with subprocess.Popen(  # noqa: S603
                [self.python, "-m", "sluice.model", *words],
                cwd=self.root,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
            ) as process:
                assert process.stdin is not None  # noqa: S101
                with suppress(BrokenPipeError):
                    for chunk in _join_lines(lines):
                        process.stdin.write(chunk)
                with suppress(BrokenPipeError):
                    process.stdin.close()
            errors.seek(0)
            error_lines = errors.read().decode(errors="replace").strip().splitlines()
            if process.returncode not in {0, 1} or any(line.startswith("Traceback") for line in error_lines):
                reason = error_lines[-1].rstrip(".") if error_lines else f"exit code {process.returncode}"
                raise OperationError(f"The resource classes cannot be checked: {reason}.")
            output.seek(0)
            return output.read()

    def format_files(self, *paths: Path) -> None:
        """Format Python files as `make check` wants them, where ruff is installed."""
        ruff = self.root / ".venv" / "bin" / "ruff"
        if ruff.exists():
            for words in (["check", "--quiet", "--fix-only"], ["format", "--quiet"]):
                subprocess.run([ruff, *words, *paths], cwd=self.root, capture_output=True, check=False)  # noqa: S603


def _join_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, in pieces of which each is worth a system call."""
    pieces: list[bytes] = []
    size = 0
    for line in lines:
        pieces += [line, b"\n"]
        size += len(line)
        if size > 256 * 1024:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)
