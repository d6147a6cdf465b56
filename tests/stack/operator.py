"""`./sluice` as an operator runs it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.stack import Stack
from tests.ops.command_output import CommandOutput

ROOT = Path(__file__).resolve().parents[2]


class Operator:
    """Runs `./sluice` from elsewhere, with no credentials but those of the local stack."""

    def __init__(self, stack: Stack) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        self._environment = {**kept, "SLUICE_LOCAL": str(stack.folder.root), "AWS_EC2_METADATA_DISABLED": "true"}
        self._environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

    def __call__(self, *words: str, code: int = 0, environment: Mapping[str, str] | None = None) -> CommandOutput:
        done = subprocess.run(
            [ROOT / "sluice", *words],
            cwd="/",
            env={**self._environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        said = CommandOutput(done.returncode, done.stdout, done.stderr)
        assert said.exit_code == code, said
        assert "Traceback" not in said.stderr
        return said
