"""Where a local stack keeps its things, and what it remembers between commands."""

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
    """What `state.json` holds."""

    emulator_port: int = 0
    emulator_pid: int = 0
    edge_port: int = 0
    edge_stage_port: int = 0
    edge_pid: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    """The outputs of the deployed stack."""
    built: str = ""
    """Fingerprint of what was built last."""
    deployed: str = ""
    """Fingerprint of what was deployed last."""


class StackFolder:
    """The folder of one local stack: `$SLUICE_LOCAL`, or `.local` in the repository."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or Path(os.environ.get("SLUICE_LOCAL") or REPOSITORY / ".local")).resolve()
        self.database = self.root / "database"
        self.cache = self.root / "cache"
        self.emulator = self.root / "emulator"
        self.build = self.root / "build"
        self.logs = self.root / "logs"
        self._state = self.root / "state.json"

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def read_state(self) -> StackState:
        """The remembered state; an empty one when there is none."""
        try:
            return StackState(**json.loads(self._state.read_text()))
        except FileNotFoundError:
            return StackState()

    def write_state(self, state: StackState) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state), indent=2))
        fresh.rename(self._state)

    def delete(self) -> None:
        """Remove what a local stack makes, and the folder itself when nothing else is in it."""
        for part in (self.database, self.cache, self.emulator, self.build, self.logs):
            shutil.rmtree(part, ignore_errors=True)
        self._state.unlink(missing_ok=True)
        if not [entry for entry in self.root.iterdir() if entry.name != "lock"]:
            shutil.rmtree(self.root)

    @contextmanager
    def acquire_lock(self) -> Iterator[None]:
        """One command at a time may change the stack."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
