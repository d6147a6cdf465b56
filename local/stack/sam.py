"""Runs the SAM CLI, its output in a log file."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.process import LocalError
from local.stack.folder import REPOSITORY


def run_sam(arguments: Sequence[str], log: Path, *, environment: Mapping[str, str], failure: str) -> None:
    """Run `sam` in the repository. Raises LocalError with the sentence `failure` and the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    tools = REPOSITORY / ".tools" / "sam" / "bin"
    path = f"{Path(sys.executable).parent}:{tools}:{os.environ.get('PATH', '')}"
    # What the caller's shell says about AWS accounts and Python's modules must not reach a build or a local deploy. A
    # build calls pip a dozen times, which is compiled once if it may be.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"} and not name.startswith("AWS_")
    }
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                ["sam", *arguments],
                cwd=REPOSITORY,
                env={**inherited, "PATH": path, "SAM_CLI_TELEMETRY": "0", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise LocalError("The SAM CLI is not installed; run `make setup`.") from error
    if done.returncode != 0:
        raise LocalError(failure, log)
