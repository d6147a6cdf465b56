"""An emulator, and edges in front of the stacks that are deployed to it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack.stack import fetch_person_token
from testkit.edge_template import Template
from testkit.emulator_harness import ROOT, Emulator, deploy_stack, free_port, start_emulator


@dataclass
class DeployedEdge:
    """A deployed stack and the edge in front of it. `url` is that of the distribution, `stage_url` the API's own."""

    emulator: Emulator
    name: str
    outputs: dict[str, str]
    url: str
    stage_url: str
    log: Path

    def fetch_token(self, person: str) -> str:
        emulator: Any = self.emulator
        return fetch_person_token(emulator, self.outputs, person, ())

    def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        """Send a GET request to the distribution."""
        return _send_get(self.url + path, token, headers)

    def get_from_stage(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        """Send a GET request to the API's own address, past the distribution."""
        return _send_get(f"{self.stage_url}/{self.outputs['StageName']}{path}", token, headers)

    def redeploy(self, template: Template) -> None:
        """Deploy a changed template, and return when the edge enforces it."""
        self.outputs = deploy_stack(self.emulator, self.name, template)
        assert self.refresh() == ""

    def refresh(self) -> str:
        """Make the edge read the deployed configuration; return why it enforces nothing, or an empty string."""
        return str(httpx.post(f"{self.stage_url}/_edge/read", timeout=30, trust_env=False).json()["problem"])


def _send_get(url: str, token: str, headers: dict[str, str]) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    return httpx.get(url, headers=sent, timeout=30, trust_env=False)


DeployEdge = Callable[[str, Template], DeployedEdge]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield emulator
    if emulator.process.poll() is None:
        emulator.stop()


@pytest.fixture(scope="module")
def deploy_edge(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployEdge]:
    """Deploys a template under a name and starts an edge in front of it."""
    with ExitStack() as cleanup:

        def deploy_and_start(name: str, template: Template) -> DeployedEdge:
            outputs = deploy_stack(emulator, name, template)
            port, stage_port = free_port(), free_port()
            log = tmp_path_factory.mktemp("edge") / "edge.log"
            options = {"--emulator": emulator.url, "--stack": name, "--port": port, "--stage-port": stage_port}
            process = subprocess.Popen(
                [sys.executable, "-m", "local.edge", *(str(word) for option in options.items() for word in option)],
                cwd=ROOT,
                env=dict(os.environ),
                stdout=cleanup.enter_context(log.open("wb")),
                stderr=subprocess.STDOUT,
            )
            cleanup.callback(process.wait, 20)
            cleanup.callback(process.terminate)
            url, stage_url = (f"http://127.0.0.1:{number}" for number in (port, stage_port))
            edge = DeployedEdge(emulator, name, outputs, url, stage_url, log)
            _wait_until_ready(edge)
            return edge

        yield deploy_and_start


def _wait_until_ready(edge: DeployedEdge) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            edge.refresh()
        except httpx.HTTPError:
            assert time.monotonic() < deadline, edge.log.read_text()
            time.sleep(0.05)
        else:
            return
