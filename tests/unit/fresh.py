"""Functions in a fresh process, as Lambda runs them: everything that they print is seen."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.conftest import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
MARK = "\x1e"

# Lambda's runtime has a handler on the root logger, and prints the class, message and frames of an error that leaves
# a handler. Answers go to the real end of the process, apart from what is printed.
PROGRAM = f"""
import importlib, json, logging, sys, traceback
logging.basicConfig(stream=sys.stdout, level=logging.INFO)
sys.path.append({str(ROOT)!r})
from tests.unit.requesting import Context
for line in sys.stdin:
    name, event = json.loads(line)
    handler = importlib.import_module(f"sluice.handlers.{{name}}")
    answer = None
    try:
        answer = handler.handle(event, Context())
    except Exception:
        traceback.print_exc(file=sys.stdout)
    print({MARK!r} + json.dumps(answer) + {MARK!r}, end="", flush=True)
"""


@dataclass(frozen=True)
class Invocation:
    """What an invocation returned (None: it raised) and what it printed."""

    answer: Any
    printed: str

    @property
    def parsed(self) -> list[dict[str, Any]]:
        """The JSON lines among what was printed."""
        return [json.loads(line) for line in self.printed.splitlines() if line.startswith("{")]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [line for line in self.parsed if "_aws" not in line]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self.parsed if "_aws" in line]


def environment(folder: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a function; `folder` may hold another package `resources`."""
    path = ":".join(str(part) for part in (folder, ROOT / "src") if part)
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    return {**inherited, **ENVIRONMENT, "PYTHONPATH": path, **more}


def invoke(
    events: Iterable[tuple[str, Mapping[str, Any]]], settings: Mapping[str, str]
) -> tuple[list[Invocation], str]:
    """Invoke functions one after another and return what came of each, and what the process printed as errors."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="".join(json.dumps(event) + "\n" for event in events),
        env=dict(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = done.stdout.split(MARK)
    answers = [json.loads(answer) for answer in parts[1::2]]
    return [Invocation(*pair) for pair in zip(answers, parts[0:-1:2], strict=True)], done.stderr
