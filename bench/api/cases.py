"""The cases: which event goes to which function, and the environment of the functions."""

import json
import os
from pathlib import Path
from typing import Any

from testkit.lambda_environment import build_lambda_environment

ROOT = Path(__file__).resolve().parents[2]
CONTENDERS = ("sluice", "fastapi", "powertools")

# By name: the function, a sample event, and the status of the response.
CASES = {
    "get item": ("get", "get/item", 200),
    "get list": ("get", "get/collection", 200),
    "get receipt": ("get", "get/receipt", 200),
    "post": ("post", "post/booking", 202),
    "put": ("put", "put/airport", 202),
    "delete": ("delete", "delete/airport", 202),
    "fallback": ("fallback", "fallback/method", 405),
}
FUNCTIONS = ("get", "post", "put", "delete", "fallback")
# The case of the first call of each function.
FIRST_CASES = {"get": "get item", **{name: name for name in FUNCTIONS if name != "get"}}


def load_event(case: str) -> dict[str, Any]:
    """The sample event of a case."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{CASES[case][1]}.json").read_text())
    return event


def build_environment(endpoint: str, **overrides: str) -> dict[str, str]:
    """The environment of a function as in Lambda, with AWS at an endpoint (empty: at its own)."""
    return build_lambda_environment(
        PATH=os.environ["PATH"],
        PYTHONPATH=f"{ROOT / 'src'}:{ROOT}",
        PYTHONNOUSERSITE="1",
        AWS_SESSION_TOKEN="token",
        AWS_LAMBDA_FUNCTION_NAME="function",
        LAMBDA_TASK_ROOT="/var/task",  # Powertools traces only inside Lambda
        **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
        **overrides,
    )
