"""An emulator, and edges before what is deployed to it."""

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
from tests.edge.edge_template import Template
from tests.emulator.harness import ROOT, Emulator, deploy_stack, free_port, start_emulator


@dataclass
class DeployedEdge:
    """A deployed stack and the edge before it: `url` is the distribution's address, `stage_url` the API's own."""

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
        return self._get(self.url + path, token, headers)

    def get_from_stage(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        """At the API's own address, past the distribution."""
        return self._get(f"{self.stage_url}/{self.outputs['StageName']}{path}", token, headers)

    def _get(self, address: str, token: str, headers: dict[str, str]) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        return httpx.get(address, headers=given, timeout=30, trust_env=False)

    def redeploy(self, template: Template) -> None:
        """Deploy a changed template, and wait until the edge has read it."""
        self.outputs = deploy_stack(self.emulator, self.name, template)
        assert self.refresh() == ""

    def refresh(self) -> str:
        """Have the edge read what is deployed; returns why it enforces nothing, or nothing."""
        return str(httpx.post(f"{self.stage_url}/_edge/read", timeout=30, trust_env=False).json()["problem"])


DeployEdge = Callable[[str, Template], DeployedEdge]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    if started.process.poll() is None:
        started.stop()


@pytest.fixture(scope="module")
def put(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployEdge]:
    """Deploys a template under a name and starts an edge before it."""
    with ExitStack() as running:

        def made(name: str, template: Template) -> DeployedEdge:
            outputs = deploy_stack(emulator, name, template)
            port, stage_port = free_port(), free_port()
            log = tmp_path_factory.mktemp("edge") / "edge.log"
            command = [
                "--emulator",
                emulator.url,
                "--stack",
                name,
                "--port",
                str(port),
                "--stage-port",
                str(stage_port),
            ]
            process = subprocess.Popen(
                [sys.executable, "-m", "local.edge", *command],
                cwd=ROOT,
                env=dict(os.environ),
                stdout=running.enter_context(log.open("wb")),
                stderr=subprocess.STDOUT,
            )
            running.callback(process.wait, 20)
            running.callback(process.terminate)
            edged = DeployedEdge(
                emulator, name, outputs, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{stage_port}", log
            )
            deadline = time.monotonic() + 20
            while True:
                try:
                    edged.refresh()
                except httpx.HTTPError:
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.05)
                else:
                    return edged

        yield made
