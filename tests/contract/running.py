"""Run schemathesis against a stack: all phases, all checks, the document that the stack serves."""

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
class RunResult:
    """The result of a run."""

    succeeded: bool
    output: str
    cases: int
    statuses: dict[int, int]
    checks: dict[str, int]


def run_schemathesis(stack: Stack, folder: Path, examples: int, *more: str, steps: int = 3) -> RunResult:
    """Run with this number of examples for each operation, phase and kind of data. `folder` is for its files."""
    (folder / "persons.json").write_text(json.dumps(_create_persons(stack)))
    (folder / "schemathesis.toml").write_text(_create_settings(folder, examples, steps))
    report = folder / "events.ndjson"
    process = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"),
            # Not through the firewall, which takes much of the generated data for attacks.
            f"{stack.emulator_api_url}/v1/openapi.json",
            *("--url", stack.emulator_api_url),  # schemathesis does not resolve the document's relative address
            *("--report", "ndjson", "--report-ndjson-path", str(report), *more),
        ],
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "NO_PROXY": "*", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    statuses, checks = _count_results(report)
    return RunResult(process.returncode == 0, process.stdout + process.stderr, sum(statuses.values()), statuses, checks)


def _create_persons(stack: Stack) -> dict[str, Any]:
    """Create two editors in the form that schemathesis reads. One must not see what the other owns."""
    tokens = {name: stack.person_token(name, ("editors",)) for name in PERSONS}
    return {
        "auth": [
            {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
            for name, token in tokens.items()
        ]
    }


def _create_settings(folder: Path, examples: int, steps: int) -> str:
    template = (HERE / "schemathesis.toml").read_text()
    values = {"persons": str(folder / "persons.json"), "examples": str(examples), "steps": str(steps)}
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], template)


def _count_results(report: Path) -> tuple[dict[int, int], dict[str, int]]:
    """Count the responses by status, and the runs of each check."""
    statuses: dict[int, int] = {}
    checks: dict[str, int] = {}
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for interaction in recorder.get("interactions", {}).values():
            status = (interaction.get("response") or {}).get("status_code", 0)
            statuses[status] = statuses.get(status, 0) + 1
        for results in recorder.get("checks", {}).values():
            for check in results:
                checks[check["name"]] = checks.get(check["name"], 0) + 1
    return dict(sorted(statuses.items())), checks
