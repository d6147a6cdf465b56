"""The folder of a local stack, and the state that it keeps between commands."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class StackState:
    """The content of `state.json`. `built` and `deployed` are the fingerprints of the last build and the last deploy;
    `outputs` are the outputs of the deployed stack; `emulator_code` and `edge_code` are the fingerprints of the code
    that the running processes were started with. `is_code_replaced` says that the functions' code is not that of the
    last deploy, which CloudFormation does not know."""

    emulator_port: int = 0
    emulator_pid: int = 0
    edge_port: int = 0
    edge_stage_port: int = 0
    edge_pid: int = 0
    emulator_code: str = ""
    edge_code: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    built: str = ""
    deployed: str = ""
    is_code_replaced: bool = False


class StackFolder:
    """The folder of one local stack: `$SLUICE_LOCAL`, or `.local` in the repository."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or Path(os.environ.get("SLUICE_LOCAL") or REPOSITORY / ".local")).resolve()
        self.database = self.root / "database"
        self.cache = self.root / "cache"
        self.emulator = self.root / "emulator"
        self.build = self.root / "build"
        self.logs = self.root / "logs"
        self._state_file = self.root / "state.json"

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def read_state(self) -> StackState:
        """The saved state, or an empty one if there is none. What another version of this code saved is ignored."""
        try:
            saved = json.loads(self._state_file.read_text())
        except FileNotFoundError:
            return StackState()
        return StackState(**{name: value for name, value in saved.items() if name in StackState.__dataclass_fields__})

    def write_state(self, state: StackState) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        new_file = self._state_file.with_suffix(".new")
        new_file.write_text(json.dumps(asdict(state), indent=2))
        new_file.rename(self._state_file)

    def delete(self) -> None:
        """Remove the files of the local stack, and the folder itself if it contains nothing else."""
        for part in (self.database, self.cache, self.emulator, self.build, self.logs):
            shutil.rmtree(part, ignore_errors=True)
        self._state_file.unlink(missing_ok=True)
        if not [entry for entry in self.root.iterdir() if entry.name != "lock"]:
            shutil.rmtree(self.root)

    @contextmanager
    def acquire_lock(self) -> Iterator[None]:
        """Let one command at a time change the stack."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
