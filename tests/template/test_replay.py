"""The workflow replay on the emulator, with stub functions. The tests take every branch."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from testkit.emulator_harness import wait_until
from tests.template.branches import find_taken_branches, list_branches
from tests.template.running import (
    LAMBDA_ERRORS,
    Definition,
    Running,
    build_counting_function,
    build_state_machine,
    deploy_workflow,
    limit_retries,
    read_definition,
)

# The request is a script: which objects each part has, how many steps verifying takes, which errors come on the way.
# An object's key says which errors come before it is loaded, such as `LockConflict,LockConflict` or
# `DatabaseUnavailable!`.
PLAN = """
    def handle(event, context):
        import boto3
        script = event["request"] if event["step"] == "begin" else event["plan"]["script"]
        run = script["run"]
        stumble(script.get("errors", {}).get(event["step"]), f"{run}-{event['step']}")
        if event["step"] == "begin":
            return {
                "script": script, "name": event["name"], "bucket": "bucket", "max_unavailable_loads": 2,
                "concurrency": script.get("concurrency", 2),
                "archived": script.get("archived", False), "reload": True, "stopped": False,
                "request": {
                    "dry_run": script.get("dry_run", False), "collections": ["things"],
                    "shadow": script.get("shadow", False),
                },
                "planned": {"objects": 0}, "part": 0, "verified": False, "verifying": 0, "tallied": 0,
            }
        plan = event["plan"]
        if event["step"] == "verify":
            plan["verifying"] += 1
            plan["verified"] = plan["verifying"] >= script.get("verify", 1)
            return plan
        parts = script.get("parts", [])
        keys = parts[plan["part"]] if parts else []
        plan["part"] += 1
        plan.update(part_count=len(keys), done=plan["part"] >= len(parts))
        plan["planned"]["objects"] += len(keys)
        plan["manifest"] = f"replays/{run}/manifest-{plan['part']}.jsonl"
        plan["results"] = f"replays/{run}/results/{plan['part']}"
        if not script.get("late"):
            lines = [json.dumps({"key": key, "etag": f"{run}-{n}-{plan['part']}"}) for n, key in enumerate(keys)]
            boto3.client("s3").put_object(
                Bucket=os.environ["BUCKET"], Key=plan["manifest"], Body="\\n".join(lines).encode()
            )
        return plan
"""
LOAD = """
    def handle(event, context):
        if event.get("sync_exclusions"):
            assert event == {"sync_exclusions": True, "bucket": os.environ["BUCKET"]}, event
            # It does not receive the name of the run.
            place = pathlib.Path(os.environ["FOLDER"], "sync_exclusions")
            found = json.loads(place.read_text()) if place.exists() else {}
            stumble(found.get("errors", {}).get("sync_exclusions"), f"{found.get('run')}-sync_exclusions")
            return {"synced_exclusions": ["r1"]}
        attempts = stumble(event["key"].split(","), event["etag"])
        return {"status": "loaded", "attempts": attempts, **event}
"""
QUARANTINE = """
    def handle(event, context):
        stumble(["OSError!"] if "NoCopy" in event["key"] else [], "quarantine-" + event["etag"])
        return {}
"""
REPORT = """
    def handle(event, context):
        plan = event["plan"]
        stumble(plan["script"].get("errors", {}).get(event["step"]), f"{plan['script']['run']}-{event['step']}")
        plan["tallied"] += event["step"] == "tally"
        return plan
"""
DEFINITION = read_definition("replay")
BEGINNING = ["Begin", "NeedsExclusionSync", "SyncExclusions"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    names = ("Plan", "Load", "Quarantine", "Report")
    substitutions: dict[str, Any] = {f"{name}Function": {"Fn::GetAtt": [name, "Arn"]} for name in names}
    substitutions["BatchBucket"] = {"Ref": "Bucket"}
    resources = {
        "Plan": build_counting_function(PLAN, folder, BUCKET={"Ref": "Bucket"}),
        "Load": build_counting_function(LOAD, folder, BUCKET={"Ref": "Bucket"}),
        "Quarantine": build_counting_function(QUARANTINE, folder),
        "Report": build_counting_function(REPORT, folder),
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Patient": build_state_machine(DEFINITION, **substitutions),
        "Hasty": build_state_machine(limit_retries(DEFINITION), **substitutions),
        "Resultless": build_state_machine(_resultless(limit_retries(DEFINITION)), **substitutions),
    }
    with deploy_workflow("replay", resources, tmp_path_factory.mktemp("emulator"), folder) as running_workflows:
        yield running_workflows


def _resultless(whole: Definition) -> Definition:
    """The same workflow, except that its results have no place to go."""
    whole["States"]["LoadBatches"]["ResultWriter"]["Parameters"]["Bucket"] = "no-such-bucket"
    return whole


def script(**more: Any) -> dict[str, Any]:
    return {"run": uuid4().hex, **more}


def results(running: Running, run: str, part: int = 1) -> dict[str, list[dict[str, Any]]]:
    """What the children of a part came to: the outputs of those that succeeded, and the others."""
    s3, bucket = running.emulator.client("s3"), running.outputs["Bucket"]
    results_by_name: dict[str, list[dict[str, Any]]] = {}
    for listed in s3.list_objects_v2(Bucket=bucket, Prefix=f"replays/{run}/results/{part}/")["Contents"]:
        name = listed["Key"].rsplit("/", 1)[1].removesuffix("_0.json")
        if name != "manifest.json":
            children = json.loads(s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read())
            results_by_name[name] = [
                json.loads(child["Output"]) if name == "SUCCEEDED" else child for child in children
            ]
    return results_by_name


def test_nothing_missing_ends_at_once(running: Running) -> None:
    execution = running.start(script(parts=[[]]))
    running.output(execution)
    assert running.states(execution) == [*BEGINNING, "Plan", "HasBatchesToLoad", "IsPlanComplete", "Report"]


def test_every_part_is_loaded_before_the_next_is_planned(running: Running) -> None:
    execution_input = script(parts=[["", ""], [], [""]], verify=2)
    execution = running.start(execution_input)
    assert running.output(execution)["tallied"] == 2
    part = ["Plan", "HasBatchesToLoad", "LoadBatches", "Tally", "IsPlanComplete"]
    empty = ["Plan", "HasBatchesToLoad", "IsPlanComplete"]
    verifying = ["Verify", "IsVerified", "Verify", "IsVerified", "Report"]
    assert running.states(execution) == [*BEGINNING, *part, *empty, *part, *verifying]
    [first, second] = results(running, execution_input["run"])["SUCCEEDED"]
    assert first["etag"] != second["etag"]
    assert {name: first[name] for name in ("bucket", "key", "archived", "reload", "collections", "shadow")} == {
        "bucket": "bucket",
        "key": "",
        "archived": False,
        "reload": True,
        "collections": ["things"],
        "shadow": False,
    }


def test_a_dry_run_loads_nothing(running: Running) -> None:
    execution = running.start(script(parts=[[""], [""]], dry_run=True))
    assert running.output(execution)["planned"]["objects"] == 2
    assert running.states(execution) == [
        *BEGINNING[:-1],
        *["Plan", "HasBatchesToLoad", "IsPlanComplete"] * 2,
        "Report",
    ]


def test_a_replay_into_shadow_tables_syncs_no_exclusions(running: Running) -> None:
    execution = running.start(script(parts=[[""]], shadow=True))
    assert "synced_exclusions" not in running.output(execution)
    assert running.states(execution)[:3] == ["Begin", "NeedsExclusionSync", "Plan"]


def script_with_sync_errors(running: Running, *errors: str) -> dict[str, Any]:
    """A script that also the function that syncs exclusions reads."""
    execution_input = script(parts=[[""]], errors={"sync_exclusions": errors})
    (running.folder / "sync_exclusions").write_text(json.dumps(execution_input))
    return execution_input


def test_exclusions_are_synced_before_the_first_load(running: Running) -> None:
    execution_input = script_with_sync_errors(running, "DatabaseUnavailable", "OSError")
    assert running.output(running.start(execution_input))["synced_exclusions"] == {"names": ["r1"]}
    assert running.calls(f"{execution_input['run']}-sync_exclusions") == 3


def test_nothing_is_loaded_when_the_sync_of_exclusions_fails(running: Running) -> None:
    execution_input = script_with_sync_errors(running, "DatabaseUnavailable!")
    execution = running.start(execution_input, "Hasty")
    ended = running.wait_for_end(execution)
    assert (ended["error"], json.loads(ended["cause"])["errorMessage"]) == ("DatabaseUnavailable", "a sentence")
    assert running.states(execution) == [*BEGINNING, "Failed"]
    (running.folder / "sync_exclusions").unlink()


@pytest.mark.parametrize("step", ["begin", "plan", "tally", "verify", "report"])
def test_a_failed_step_is_retried(running: Running, step: str) -> None:
    execution_input = script(parts=[[""]], errors={step: ["DatabaseUnavailable"]})
    running.output(running.start(execution_input))
    assert running.calls(f"{execution_input['run']}-{step}") == 2


@pytest.mark.parametrize("step", ["begin", "plan", "tally", "verify", "report"])
def test_a_step_that_keeps_failing_fails_the_replay_with_its_error(running: Running, step: str) -> None:
    execution_input = script(parts=[[""]], errors={step: ["DatabaseUnavailable!"]})
    execution = running.start(execution_input, "Hasty")
    ended = running.wait_for_end(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "DatabaseUnavailable")
    assert json.loads(ended["cause"])["errorMessage"] == "a sentence"
    assert running.states(execution)[-2:] == [step.capitalize(), "Failed"]


@pytest.mark.parametrize("error", ["InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection"])
def test_an_invalid_input_is_not_retried(running: Running, error: str) -> None:
    execution_input = script(errors={"begin": [f"{error}!"]})
    assert running.wait_for_end(running.start(execution_input))["error"] == error
    assert running.calls(f"{execution_input['run']}-begin") == 1


def test_a_passing_error_is_retried(running: Running) -> None:
    errors = ["LockConflict", "DatabaseUnavailable", "SchemaOutdated", "KeyError", *LAMBDA_ERRORS]
    execution_input = script(parts=[errors], concurrency=len(errors))
    running.output(running.start(execution_input))
    assert [child["attempts"] for child in results(running, execution_input["run"])["SUCCEEDED"]] == [2] * len(errors)


@pytest.mark.parametrize(("state", "shadow"), [("LoadBatches", True), ("SyncExclusions", False)])
def test_a_step_that_needs_the_loader_waits_for_concurrency(running: Running, state: str, shadow: bool) -> None:
    functions, name = running.emulator.client("lambda"), running.outputs["Load"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    execution = running.start(script(parts=[[""]], shadow=shadow))
    wait_until(lambda: state in running.states(execution))
    time.sleep(2)
    assert running.emulator.client("stepfunctions").describe_execution(executionArn=execution)["status"] == "RUNNING"
    functions.delete_function_concurrency(FunctionName=name)
    running.output(execution)


def test_one_object_s_failure_is_reported_and_the_others_are_loaded(running: Running) -> None:
    keys = ["KeyError!", "", "SchemaOutdated!", "UnreadableBatch!", "UnreadableBatch,NoCopy", "LockConflict!"]
    execution_input = script(parts=[keys])
    execution = running.start(execution_input, "Hasty")
    running.output(execution)
    assert "MarkStopped" not in running.states(execution)
    run_results = results(running, execution_input["run"])
    assert set(run_results) == {"SUCCEEDED"}
    assert [(child["status"], child.get("error")) for child in run_results["SUCCEEDED"]] == [
        ("failed", "KeyError"),
        ("loaded", None),
        ("failed", "SchemaOutdated"),
        ("quarantined", None),
        ("failed", "OSError"),
        ("failed", "LockConflict"),
    ]
    assert running.calls(f"{execution_input['run']}-3-1") == 1
    assert running.calls(f"quarantine-{execution_input['run']}-3-1") == 1
    assert running.calls(f"quarantine-{execution_input['run']}-4-1") == 2


def test_the_archive_is_not_quarantined(running: Running) -> None:
    execution_input = script(parts=[["UnreadableBatch!"]], archived=True)
    running.output(running.start(execution_input))
    [child] = results(running, execution_input["run"])["SUCCEEDED"]
    assert (child["status"], child["error"]) == ("failed", "UnreadableBatch")
    assert running.calls(f"quarantine-{execution_input['run']}-0-1") == 0


def test_too_many_loads_without_a_database_stop_the_replay_which_then_verifies(running: Running) -> None:
    execution_input = script(parts=[["DatabaseUnavailable!"] * 12, [""]])
    execution = running.start(execution_input, "Hasty")
    assert running.output(execution)["stopped"] is True
    assert running.states(execution)[5:] == [
        "LoadBatches",
        "MarkStopped",
        "Tally",
        "IsPlanComplete",
        "Verify",
        "IsVerified",
        "Report",
    ]
    run_results = results(running, execution_input["run"])
    assert len(run_results["FAILED"]) >= 3
    assert {child["Error"] for child in run_results["FAILED"]} <= {"DatabaseUnavailable", "States.Aborted"}
    assert run_results["PENDING"]


def test_a_few_of_them_do_not_stop_it(running: Running) -> None:
    execution = running.start(script(parts=[["DatabaseUnavailable!", "", "DatabaseUnavailable!"]]), "Hasty")
    assert running.output(execution)["stopped"] is False


def test_reading_a_manifest_is_retried(running: Running) -> None:
    execution_input = script(parts=[[""]], late=True)
    execution = running.start(execution_input)
    wait_until(lambda: "LoadBatches" in running.states(execution))
    time.sleep(0.3)
    key = f"replays/{execution_input['run']}/manifest-1.jsonl"
    line = json.dumps({"key": "", "etag": execution_input["run"]})
    running.emulator.client("s3").put_object(Bucket=running.outputs["Bucket"], Key=key, Body=line.encode())
    assert running.output(execution)["stopped"] is False
    assert running.calls(execution_input["run"]) == 1


def test_a_manifest_that_stays_unreadable_stops_the_replay(running: Running) -> None:
    execution = running.start(script(parts=[[""]], late=True), "Hasty")
    assert running.output(execution)["stopped"] is True
    assert "MarkStopped" in running.states(execution)


def test_writing_results_is_retried_and_then_stops_the_replay(running: Running) -> None:
    execution_input = script(parts=[[""]])
    execution = running.start(execution_input, "Resultless")
    assert running.output(execution)["stopped"] is True
    assert running.calls(f"{execution_input['run']}-0-1") == 2


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Runs last: it checks which branches the tests above took."""
    seen = {branch for history in running.histories() for branch in find_taken_branches(DEFINITION, history)}
    assert list_branches(DEFINITION) - seen == set()
