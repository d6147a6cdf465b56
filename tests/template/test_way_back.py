"""The definitions of replay, recover, rebuild and restore, and their resources in the template."""

import datetime
import itertools
import json
import re
from typing import Any

import pytest

from sluice.rebuild.rebuild_request import EXCLUSIONS_KEY
from sluice.recovery.recovery_request import parse_recovery_request
from testkit.translate import REPOSITORY, Template, translate
from tests.template.running import list_states, read_definition

HISTORY_EVENTS = 25_000
WORKFLOWS = ("replay", "recover", "rebuild", "restore")


def states(name: str) -> dict[str, dict[str, Any]]:
    return dict(list_states(read_definition(name)))


def retriers(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(state, retry) for state, definition in states(name).items() for retry in definition.get("Retry", [])]


def test_a_replay_retries_a_load_like_load_batch() -> None:
    def plain(retry: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: value for key, value in retrier.items() if key != "Comment"} for retrier in retry]

    assert plain(states("replay")["Load"]["Retry"]) == plain(states("load_batch")["Load"]["Retry"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_retries_have_a_cap_backoff_and_jitter(name: str) -> None:
    for state, retry in retriers(name):
        if retry["MaxAttempts"]:
            assert retry["JitterStrategy"] == "FULL", state
            assert retry["BackoffRate"] > 1, state
            assert retry["MaxDelaySeconds"] <= 60, state


@pytest.mark.parametrize("name", WORKFLOWS)
def test_retries_end_before_the_history_is_full(name: str) -> None:
    for state, retries in itertools.groupby(retriers(name), lambda retrier: retrier[0]):
        assert 3 * sum(retry["MaxAttempts"] for _, retry in retries) < HISTORY_EVENTS - 1000, state


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_task_waits_longer_than_its_function_s_timeout(template: Template, name: str) -> None:
    functions = re.compile(r"\$\{(\w+Function)\}")
    for state, definition in states(name).items():
        named = functions.fullmatch(definition.get("Parameters", {}).get("FunctionName", ""))
        if named:
            assert definition["TimeoutSeconds"] > template["Resources"][named[1]]["Properties"]["Timeout"], state


@pytest.mark.parametrize("name", ["recover", "rebuild"])
def test_a_workflow_waits_for_the_primary_for_a_night(name: str) -> None:
    retrier = next(retry for state, retry in retriers(name) if state == "AwaitPrimary")
    assert retrier["MaxAttempts"] * retrier["MaxDelaySeconds"] / 2 > 12 * 3600


@pytest.mark.parametrize("rule", ["RecoverySchedule", "DatabaseBack", "BatchesParked"])
def test_the_input_of_each_rule_is_valid(template: Template, rule: str) -> None:
    [target] = template["Resources"][rule]["Properties"]["Targets"]
    target_input = target["Input"]
    if isinstance(target_input, dict):
        defaults = {name: str(parameter.get("Default")) for name, parameter in template["Parameters"].items()}
        target_input = re.sub(r"\$\{(\w+)\}", lambda name: defaults[name[1]], target_input["Fn::Sub"])
    request, _ = parse_recovery_request(json.loads(target_input), datetime.datetime.now(datetime.UTC))
    assert request.trigger in {"schedule", "event", "alarm"}


def test_the_alarms_of_parked_batches_start_a_recovery(template: Template) -> None:
    pattern = template["Resources"]["BatchesParked"]["Properties"]["EventPattern"]
    names = {
        resource["Fn::GetAtt"][0] if isinstance(resource["Fn::GetAtt"], list) else resource["Fn::GetAtt"].split(".")[0]
        for resource in pattern["resources"]
    }
    assert names == {"LoadsFailedAlarm", "DeadLettersAlarm"}


def test_one_alarm_lasts_for_as_long_as_the_schedule_s_runs_fail(template: Template) -> None:
    alarm = template["Resources"]["RecoverFailedAlarm"]["Properties"]
    assert alarm["DatapointsToAlarm"] == 1
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 60 * template["Parameters"]["RecoveryMinutes"]["MaxValue"]


def test_the_schedule_looks_further_back_than_backups_reach(template: Template) -> None:
    retention_days = template["Resources"]["Primary"]["Properties"]["BackupRetentionPeriod"]
    assert template["Parameters"]["RecoveryDays"]["Default"] > retention_days


def test_stored_exclusions_outlive_the_batches(template: Template) -> None:
    rules = template["Resources"]["BatchBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule]
    assert "batches/" in expiring
    assert not [prefix for prefix in expiring if EXCLUSIONS_KEY.startswith(prefix)]


def test_the_map_run_may_start_children_of_its_own_workflow_only(template: Template) -> None:
    resources = translate(template, REPOSITORY)["Resources"]
    policy = resources["ReplayChildren"]["Properties"]
    assert policy["Roles"] == [{"Ref": "ReplayRole"}]
    starts = [
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "states:StartExecution"
    ]
    assert [statement["Resource"] for statement in starts] == [{"Ref": "Replay"}]
    assert "ReplayRole" in resources


def test_a_replay_never_loads_more_at_a_time_than_the_load_function_may(template: Template) -> None:
    environment = template["Resources"]["PlanFunction"]["Properties"]["Environment"]["Variables"]
    reserved = template["Resources"]["LoadFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert environment["LOAD_CONCURRENCY"] == reserved
    assert states("replay")["LoadBatches"]["MaxConcurrencyPath"] == "$.concurrency"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_message_or_cause_carries_what_a_function_said(name: str) -> None:
    # A cause can quote a record; the error's name cannot. What refused the request, or ended a rebuild, is told to the
    # operator who asks for that execution, in the words of the function.
    messages = [text for state in states(name).values() if (text := state.get("Parameters", {}).get("Message.$"))]
    causes = [text for state in states(name).values() if (text := state.get("CausePath"))]
    assert all("Cause" not in text for text in messages)
    own = {"rebuild": {"$.error.Cause"}, "restore": {"$.Cause", "$.error.Cause"}}.get(name, {"$.Cause"})
    assert {text for text in causes if "Cause" in text} <= own
