"""The edge's process: started before the API that is deployed, found to enforce its configuration, stopped."""

import sys
import time

import httpx

from local.process import LocalError, find_free_port, is_port_free, is_running, start_process, stop_process
from local.stack.deployment import STACK_NAME
from local.stack.emulator_process import REGION, EmulatorProcess
from local.stack.folder import REPOSITORY, StackFolder


class EdgeProcess:
    """The edge of one folder: two listeners on 127.0.0.1."""

    def __init__(self, folder: StackFolder, emulator: EmulatorProcess) -> None:
        self.folder = folder
        self.log = folder.log_path("edge")
        self._emulator = emulator

    @property
    def url(self) -> str:
        """Where the distribution is."""
        return f"http://127.0.0.1:{self.folder.read_state().edge_port}"

    @property
    def stage_url(self) -> str:
        """Where the API itself is; a stage's name follows."""
        return f"http://127.0.0.1:{self.folder.read_state().edge_stage_port}"

    @property
    def _marks(self) -> tuple[str, ...]:
        return ("local.edge", self._emulator.url, str(self.folder.read_state().edge_port))

    @property
    def pid(self) -> int | None:
        """The pid of the running edge, or None."""
        pid = self.folder.read_state().edge_pid
        return pid if is_running(pid, *self._marks) else None

    def start(self, *, seconds: float = 30) -> None:
        """Start it if it does not run, let it read what is deployed now, and return when it enforces that. Raises
        LocalError."""
        if self.pid is None:
            self._launch()
        deadline = time.monotonic() + seconds
        while (problem := self._read()) is None:
            if self.pid is None:
                raise LocalError("The edge ended while starting.", self.log)
            if time.monotonic() > deadline:
                raise LocalError(f"The edge did not answer within {seconds:.0f} seconds.", self.log)
            time.sleep(0.05)
        if problem:
            raise LocalError(f"The edge cannot enforce what is deployed: {problem}.", self.log)

    def _launch(self) -> None:
        state = self.folder.read_state()
        for name in ("edge_port", "edge_stage_port"):
            if not getattr(state, name) or not is_port_free(getattr(state, name)):
                setattr(state, name, find_free_port())
        self.folder.write_state(state)
        state.edge_pid = start_process(
            [
                sys.executable,
                *("-m", "local.edge"),
                *("--emulator", self._emulator.url),
                *("--stack", STACK_NAME, "--region", REGION),
                *("--port", str(state.edge_port), "--stage-port", str(state.edge_stage_port)),
            ],
            self.log,
            directory=REPOSITORY,
        )
        self.folder.write_state(state)

    def stop(self) -> None:
        stop_process(self.pid, *self._marks)

    def get_problem(self) -> str:
        """Why it enforces nothing, or nothing."""
        return self._status().get("problem", "")

    def get_unenforced_rules(self) -> str:
        """What it does not enforce on this machine, or nothing."""
        return self._status().get("lacking", "")

    def _status(self) -> dict[str, str]:
        try:
            found: dict[str, str] = httpx.get(f"{self.stage_url}/_edge/status", timeout=5, trust_env=False).json()
        except httpx.HTTPError as error:
            return {"problem": f"it does not answer: {error}"}
        return found

    def _read(self) -> str | None:
        """Have it read what is deployed; returns its problem, and None while it does not answer yet."""
        try:
            return str(httpx.post(f"{self.stage_url}/_edge/read", timeout=30, trust_env=False).json()["problem"])
        except httpx.HTTPError:
            return None
