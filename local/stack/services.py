"""The emulator and the edge as background processes of a local stack."""

import hashlib
import http.client
import importlib.metadata
import json
import os
import signal
import sys
import time
from typing import Any

import boto3
import httpx

from local.emulator.durability.report import read_report
from local.emulator.environment import PUBLIC_ADDRESSES
from local.process import LocalError, find_free_port, is_port_free, is_running, start_process, stop_process
from local.stack.folder import REPOSITORY, StackFolder

STACK_NAME = "sluice-local"
REGION = "us-east-1"
# The root credentials of the emulator, which allow everything. The emulator enforces the policies of all others.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def fingerprint_code(folder: str, *packages: str) -> str:
    """A hash of the modules of a folder of `local`, and of the versions of installed packages."""
    digest = hashlib.sha256(json.dumps([importlib.metadata.version(package) for package in packages]).encode())
    for path in sorted((REPOSITORY / "local" / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


class EmulatorProcess:
    """The emulator of one folder. It listens on 127.0.0.1.

    `has_nightly_backups` says whether it backs the databases up each night, from its next start on.
    """

    def __init__(self, folder: StackFolder, *, has_nightly_backups: bool = True) -> None:
        self.folder = folder
        self._has_nightly_backups = has_nightly_backups
        self.log = folder.log_path("emulator")
        self._marks = ("local.emulator", str(folder.emulator))
        self._clients: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.folder.read_state().emulator_port}"

    @property
    def pid(self) -> int | None:
        """The pid of the running emulator, or None."""
        pid = self.folder.read_state().emulator_pid
        return pid if is_running(pid, *self._marks) else None

    def stop_outdated(self) -> bool:
        """Stop it if it runs other code than that of the checkout; returns whether it did. It keeps its data.

        The update of a stack may need what only the present code can do.
        """
        if self.pid is None or self.folder.read_state().emulator_code == self._fingerprint_code():
            return False
        self.stop()
        return True

    @staticmethod
    def _fingerprint_code() -> str:
        return fingerprint_code("emulator", "ministack") + fingerprint_code("database")

    def start(self) -> str:
        """Start it unless it runs, and return when it is healthy. Raises LocalError.

        Returns one sentence on what it repaired if the emulator before it was killed, or an empty text.
        """
        if self.pid is not None:
            self._wait_until_healthy(seconds=60)
            return ""
        self._launch()
        self._wait_until_healthy(seconds=60)
        return read_report(self.folder.emulator / "services")

    def _launch(self) -> None:
        state = self.folder.read_state()
        if not state.emulator_port or not is_port_free(state.emulator_port):
            state.emulator_port = find_free_port()
        self.folder.emulator.mkdir(parents=True, exist_ok=True)
        state.emulator_code = self._fingerprint_code()
        state.emulator_pid = start_process(
            [
                sys.executable,
                *("-m", "local.emulator"),
                *("--port", str(state.emulator_port)),
                *("--state", str(self.folder.emulator)),
                *("--database", str(self.folder.database), "--cache", str(self.folder.cache)),
                *(["--nightly-backups"] if self._has_nightly_backups else []),
            ],
            self.log,
            directory=REPOSITORY,
        )
        self.folder.write_state(state)

    def stop(self) -> None:
        """Stop it after it has delivered its buffers and saved its state; return when the process has ended."""
        stop_process(self.pid, *self._marks, seconds=180)

    def back_up(self) -> None:
        """Let Firehose deliver at once what it buffers for the archive. AWS has no interval below a minute."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGUSR1)

    def kill(self) -> None:
        """Kill it, as a crash would, and return when the process has ended."""
        stop_process(self.pid, *self._marks, with_signal=signal.SIGKILL)

    def is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.folder.read_state().emulator_port, timeout=5)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _wait_until_healthy(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_healthy():
            if self.pid is None:
                raise LocalError("The emulator ended during its start.", self.log)
            if time.monotonic() > deadline:
                raise LocalError(f"The emulator was not healthy within {seconds:.0f} seconds.", self.log)
            time.sleep(0.05)

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator with root credentials, by boto3's name for the service."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]


class EdgeProcess:
    """The edge of one folder: two listeners on 127.0.0.1."""

    def __init__(self, folder: StackFolder, emulator: EmulatorProcess) -> None:
        self.folder = folder
        self.log = folder.log_path("edge")
        self._emulator = emulator

    @property
    def url(self) -> str:
        """The URL of the distribution."""
        return f"http://127.0.0.1:{self.folder.read_state().edge_port}"

    @property
    def stage_url(self) -> str:
        """The URL of the API itself, without the name of the stage."""
        return f"http://127.0.0.1:{self.folder.read_state().edge_stage_port}"

    @property
    def _marks(self) -> tuple[str, ...]:
        return ("local.edge", self._emulator.url, str(self.folder.read_state().edge_port))

    @property
    def pid(self) -> int | None:
        """The pid of the running edge, or None."""
        pid = self.folder.read_state().edge_pid
        return pid if is_running(pid, *self._marks) else None

    def stop_outdated(self) -> None:
        """Stop it if it runs other code than that of the checkout."""
        if self.folder.read_state().edge_code != fingerprint_code("edge"):
            self.stop()

    def start(self, *, seconds: float = 30) -> None:
        """Start it unless it runs, and return when it enforces the current deployment. Raises LocalError."""
        if self.pid is None:
            self._launch()
        deadline = time.monotonic() + seconds
        while (problem := self._refresh()) is None:
            if self.pid is None:
                raise LocalError("The edge ended during its start.", self.log)
            if time.monotonic() > deadline:
                raise LocalError(f"The edge did not respond within {seconds:.0f} seconds.", self.log)
            time.sleep(0.05)
        if problem:
            raise LocalError(f"The edge cannot enforce the deployed configuration: {problem}.", self.log)
        self._publish_addresses()

    def _publish_addresses(self) -> None:
        """Let functions reach the edge and the token endpoint by the public URLs in their settings."""
        outputs = self.folder.read_state().outputs
        # Not the whole sign-in domain: the OpenAPI document names it.
        addresses = {outputs["Url"]: self.url, outputs["TokenUrl"]: f"{self._emulator.url}/oauth2/token"}
        (self.folder.emulator / PUBLIC_ADDRESSES).write_text(json.dumps(addresses))

    def _launch(self) -> None:
        state = self.folder.read_state()
        for name in ("edge_port", "edge_stage_port"):
            if not getattr(state, name) or not is_port_free(getattr(state, name)):
                setattr(state, name, find_free_port())
        state.edge_code = fingerprint_code("edge")
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
        """Why it enforces nothing, or an empty string."""
        return self._read_status().get("problem", "")

    def get_unenforced_rules(self) -> str:
        """The rules that it cannot enforce on this machine, or an empty string."""
        return self._read_status().get("unenforced", "")

    def _read_status(self) -> dict[str, str]:
        try:
            status: dict[str, str] = httpx.get(f"{self.stage_url}/_edge/status", timeout=5, trust_env=False).json()
        except httpx.HTTPError as error:
            return {"problem": f"no response: {error}"}
        return status

    def _refresh(self) -> str | None:
        """Make it read the deployed configuration; return its problem, or None if it does not respond yet."""
        try:
            return str(httpx.post(f"{self.stage_url}/_edge/read", timeout=30, trust_env=False).json()["problem"])
        except httpx.HTTPError:
            return None
