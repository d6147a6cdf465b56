"""The emulator's process: started, found healthy, stopped."""

import http.client
import sys
import time
from typing import Any

import boto3

from local.process import LocalError, find_free_port, is_port_free, is_running, start_process, stop_process
from local.stack.folder import REPOSITORY, StackFolder

REGION = "us-east-1"


# The emulator's root caller, which it lets do anything; every other caller's policies are enforced.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class EmulatorProcess:
    """The emulator of one folder. It listens on 127.0.0.1."""

    def __init__(self, folder: StackFolder) -> None:
        self.folder = folder
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

    def start(self) -> None:
        """Start it if it does not run, and return when it is healthy. Raises LocalError."""
        if self.pid is None:
            state = self.folder.read_state()
            if not state.emulator_port or not is_port_free(state.emulator_port):
                state.emulator_port = find_free_port()
            self.folder.emulator.mkdir(parents=True, exist_ok=True)
            state.emulator_pid = start_process(
                [
                    sys.executable,
                    "-m",
                    "local.emulator",
                    "--port",
                    str(state.emulator_port),
                    "--state",
                    str(self.folder.emulator),
                ],
                self.log,
                directory=REPOSITORY,
            )
            self.folder.write_state(state)
        self._wait_until_healthy(seconds=60)

    def stop(self) -> None:
        """Let it deliver what is buffered and save its state; returns when the process is gone."""
        stop_process(self.pid, *self._marks, seconds=180)

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
                raise LocalError("The emulator ended while starting.", self.log)
            if time.monotonic() > deadline:
                raise LocalError(f"The emulator was not healthy within {seconds:.0f} seconds.", self.log)
            time.sleep(0.05)

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator with root's credentials."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]
