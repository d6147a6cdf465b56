"""Runs schemathesis against a stack: all its phases, all its checks, the document as it is served."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.stack import Stack

HERE = Path(__file__).parent
PERSONS = ("contract-ada", "contract-eve")


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    succeeded: bool
    printed: str
    cases: int
    statuses: dict[int, int]
    checks: dict[str, int]


def run(stack: Stack, folder: Path, examples: int, *more: str, steps: int = 3) -> Outcome:
    """Run with so many examples for each operation, phase and kind of data. `folder` is for its files."""
    (folder / "persons.json").write_text(json.dumps(_persons(stack)))
    (folder / "schemathesis.toml").write_text(_settings(folder, examples, steps))
    report = folder / "events.ndjson"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"),
            # Past the firewall, which takes much of what it makes up for attacks.
            f"{stack.emulator_api_url}/v1/openapi.json",
            *("--url", stack.emulator_api_url),  # it does not resolve the document's relative address
            *("--report", "ndjson", "--report-ndjson-path", str(report), *more),
        ],
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "NO_PROXY": "*", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    statuses, checks = _counted(report)
    return Outcome(done.returncode == 0, done.stdout + done.stderr, sum(statuses.values()), statuses, checks)


def _persons(stack: Stack) -> dict[str, Any]:
    """Two editors, in the form that schemathesis reads: what one of them owns, the other must not see."""
    tokens = {name: stack.person_token(name, ("editors",)) for name in PERSONS}
    return {
        "auth": [
            {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
            for name, token in tokens.items()
        ]
    }


def _settings(folder: Path, examples: int, steps: int) -> str:
    template = (HERE / "schemathesis.toml").read_text()
    values = {"persons": str(folder / "persons.json"), "examples": str(examples), "steps": str(steps)}
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], template)


def _counted(report: Path) -> tuple[dict[int, int], dict[str, int]]:
    """How many answers there were by status, and how often each check looked at one."""
    statuses: dict[int, int] = {}
    checks: dict[str, int] = {}
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for interaction in recorder.get("interactions", {}).values():
            status = (interaction.get("response") or {}).get("status_code", 0)
            statuses[status] = statuses.get(status, 0) + 1
        for looked in recorder.get("checks", {}).values():
            for check in looked:
                checks[check["name"]] = checks.get(check["name"], 0) + 1
    return dict(sorted(statuses.items())), checks
