"""`./sluice` as an operator runs it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.stack import Stack
from tests.ops.command_output import CommandOutput

ROOT = Path(__file__).resolve().parents[2]


def build_environment(stack: Stack) -> dict[str, str]:
    """The environment of an operator who has the credentials of the local stack only."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    return {
        **inherited,
        "SLUICE_LOCAL": str(stack.folder.root),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


class Operator:
    """Runs `./sluice` from another folder, with the credentials of the local stack only."""

    def __init__(self, stack: Stack) -> None:
        self._environment = build_environment(stack)

    def __call__(
        self, *arguments: str, code: int = 0, environment: Mapping[str, str] | None = None, seconds: float = 300
    ) -> CommandOutput:
        """Run a command, which must end with this exit code and within so many seconds."""
        process = subprocess.run(
            [ROOT / "sluice", *arguments],
            cwd="/",
            env={**self._environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        output = CommandOutput(process.returncode, process.stdout, process.stderr)
        assert output.exit_code == code, output
        assert "Traceback" not in output.stderr
        return output
