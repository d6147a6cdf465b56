"""What is asked of which function, and the environment that it is asked in."""

import json
import os
from pathlib import Path
from typing import Any

from testkit import lambda_environment as lambdas

ROOT = Path(__file__).resolve().parents[2]
CONTENDERS = ("sluice", "fastapi", "powertools")

# By name: the function, a sample event, and the status that answers it.
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
# The event of a function's first call.
FIRST_CASES = {"get": "get item", **{name: name for name in FUNCTIONS if name != "get"}}


def load_event(case: str) -> dict[str, Any]:
    """A sample event, as `make invoke` takes it."""
    found: dict[str, Any] = json.loads((ROOT / "events" / f"{CASES[case][1]}.json").read_text())
    return found


def build_environment(endpoint: str, **more: str) -> dict[str, str]:
    """The environment of a function, as in Lambda, with AWS at an endpoint."""
    return lambdas.build_lambda_environment(
        PATH=os.environ["PATH"],
        PYTHONPATH=f"{ROOT / 'src'}:{ROOT}",
        PYTHONNOUSERSITE="1",
        AWS_SESSION_TOKEN="token",
        AWS_LAMBDA_FUNCTION_NAME="function",
        LAMBDA_TASK_ROOT="/var/task",  # Powertools traces only inside Lambda
        **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
        **more,
    )
