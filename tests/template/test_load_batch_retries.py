"""How long load_batch goes on trying, read from its definition."""

import itertools
import json
from typing import Any

import pytest

from testkit.translate import REPOSITORY

HISTORY_EVENTS = 25_000  # the most that a Standard execution may have
EVENTS_PER_ATTEMPT = 3  # scheduled, started, failed


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    definition = json.loads((REPOSITORY / "statemachines/load_batch.asl.json").read_text())
    return dict(definition["States"])


def retrier(states: dict[str, Any], error: str) -> dict[str, Any]:
    """The retrier that the Load task takes for an error."""
    matching_retriers = (
        retry for retry in states["Load"]["Retry"] if {error, "States.ALL"} & set(retry["ErrorEquals"])
    )
    return dict(next(matching_retriers))


def longest(retry: dict[str, Any]) -> float:
    """The seconds that all of its delays take together where the jitter takes nothing off; half of it on average."""
    growing = itertools.accumulate(
        itertools.repeat(retry["BackoffRate"], retry["MaxAttempts"] - 1),
        lambda delay, rate: delay * rate,
        initial=float(retry["IntervalSeconds"]),
    )
    return sum(min(delay, float(retry["MaxDelaySeconds"])) for delay in growing)


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        ("LockConflict", 20, 80),
        ("DatabaseUnavailable", 400, 480),
        ("SchemaOutdated", 120, 300),
        ("Lambda.TooManyRequestsException", 24 * 3600, 48 * 3600),
        ("Lambda.Unknown", 30, 120),
        ("Sandbox.Timedout", 30, 120),
        ("KeyError", 10, 60),
    ],
)
def test_an_error_is_retried_for_that_many_seconds(
    states: dict[str, Any], error: str, least: float, most: float
) -> None:
    assert least <= longest(retrier(states, error)) <= most


def test_an_unreadable_batch_is_not_tried_again(states: dict[str, Any]) -> None:
    assert retrier(states, "UnreadableBatch")["MaxAttempts"] == 0


def test_the_catch_is_reached_before_the_history_is_full(states: dict[str, Any]) -> None:
    attempts = sum(retry["MaxAttempts"] for retry in states["Load"]["Retry"])
    assert attempts * EVENTS_PER_ATTEMPT < HISTORY_EVENTS - 1000


def test_no_two_executions_retry_in_step(states: dict[str, Any]) -> None:
    retriers = [retry for state in states.values() for retry in state.get("Retry", []) if retry["MaxAttempts"]]
    assert {retry.get("JitterStrategy") for retry in retriers} == {"FULL"}
    assert all(retry["MaxDelaySeconds"] <= 30 for retry in retriers)


def test_a_task_waits_longer_than_its_function_runs(states: dict[str, Any], template: dict[str, Any]) -> None:
    functions = {"Load": "LoadFunction", "Quarantine": "QuarantineFunction"}
    for task, function in functions.items():
        assert states[task]["TimeoutSeconds"] > template["Resources"][function]["Properties"]["Timeout"]


def test_no_message_carries_what_a_function_said(states: dict[str, Any]) -> None:
    # A cause can quote a record; the error's name cannot.
    messages = [states[name]["Parameters"]["Message.$"] for name in ("NotifyParked", "NotifyQuarantined")]
    assert all("$.error.Error" in message and "Cause" not in message for message in messages)
