"""Distributed Maps: their results in S3, their bounds from the input, and their end."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from tests.emulator.harness import Emulator, build_function, deploy_stack, wait_until

CODE = """
    import time

    def handle(event, context):
        time.sleep(event.get("sleep", 0))
        if event.get("fail"):
            raise KeyError("gone")
        return {"key": event["key"]}
"""
PRINCIPAL = {"Service": "states.amazonaws.com"}


class Maps:
    """Executions of a workflow that is one Distributed Map."""

    def __init__(self, emulator: Emulator, outputs: dict[str, str]) -> None:
        self._emulator, self._outputs = emulator, outputs
        self.states, self.s3 = emulator.client("stepfunctions"), emulator.client("s3")

    def start(self, items: list[dict[str, Any]], **state: Any) -> str:
        bucket, key = self._outputs["Bucket"], f"manifests/{uuid4()}"
        self.s3.put_object(Bucket=bucket, Key=key, Body="".join(json.dumps(item) + "\n" for item in items).encode())
        work = {"Type": "Task", "Resource": self._outputs["Worker"], "End": True}
        each = {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSONL"},
                "Parameters": {"Bucket": bucket, "Key": key},
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Work",
                "States": {"Work": work},
            },
            "ResultWriter": {
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": bucket, "Prefix.$": "$.results"},
            },
            "MaxConcurrencyPath": "$.at_once",
            "ToleratedFailureCountPath": "$.tolerated",
            "End": True,
            **state,
        }
        definition = json.dumps({"StartAt": "Each", "States": {"Each": each}})
        made = self.states.create_state_machine(
            name=f"map-{uuid4()}", definition=definition, roleArn=self._outputs["Role"]
        )
        given = {"results": f"results/{uuid4()}", "at_once": 2, "tolerated": 1}
        self.results = given["results"]
        return str(
            self.states.start_execution(stateMachineArn=made["stateMachineArn"], input=json.dumps(given))[
                "executionArn"
            ]
        )

    def ended(self, execution: str) -> dict[str, Any]:
        def ended() -> Any:
            found = self.states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        return dict(wait_until(ended, 30))

    def run_of(self, execution: str) -> dict[str, Any]:
        [run] = wait_until(lambda: self.states.list_map_runs(executionArn=execution)["mapRuns"])
        return dict(self.states.describe_map_run(mapRunArn=run["mapRunArn"]))

    def files(self) -> dict[str, Any]:
        """What was written, by the file's name."""
        bucket = self._outputs["Bucket"]
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=self.results).get("Contents", [])
        return {
            one["Key"].rsplit("/", 1)[1]: json.loads(self.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read())
            for one in listed
        }


@pytest.fixture(scope="module")
def maps(emulator: Emulator) -> Maps:
    trust = {"Statement": [{"Effect": "Allow", "Principal": PRINCIPAL, "Action": "sts:AssumeRole"}]}
    resources = {
        "Worker": build_function(CODE),
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
    }
    outputs = {
        "Worker": {"Value": {"Fn::GetAtt": ["Worker", "Arn"]}},
        "Bucket": {"Value": {"Ref": "Bucket"}},
        "Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
    }
    return Maps(emulator, deploy_stack(emulator, "maps", {"Resources": resources, "Outputs": outputs}))


def test_results_are_written_and_what_is_tolerated_fails_nothing(maps: Maps) -> None:
    ended = maps.ended(maps.start([{"key": "a"}, {"key": "b", "fail": True}, {"key": "c"}]))
    assert ended["status"] == "SUCCEEDED"
    files = maps.files()
    assert set(files) == {"manifest.json", "SUCCEEDED_0.json", "FAILED_0.json"}
    details = json.loads(ended["output"])["ResultWriterDetails"]
    assert details["Key"].startswith(maps.results)
    assert details["Key"].endswith("/manifest.json")
    assert [json.loads(child["Output"]) for child in files["SUCCEEDED_0.json"]] == [{"key": "a"}, {"key": "c"}]
    [failed] = files["FAILED_0.json"]
    assert (failed["Status"], failed["Error"], json.loads(failed["Input"])["key"]) == ("FAILED", "KeyError", "b")
    assert files["manifest.json"]["ResultFiles"]["PENDING"] == []


def test_a_run_with_too_many_failures_ends_before_its_items(maps: Maps) -> None:
    items = [{"key": str(n), "fail": True, "sleep": 0.1} for n in range(40)]
    execution = maps.start(items)
    ended = maps.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    counts = maps.run_of(execution)["itemCounts"]
    assert counts["failed"] >= 2
    assert counts["pending"] > 30
    files = maps.files()
    assert len(files["PENDING_0.json"]) == counts["pending"]


def test_no_more_children_run_at_a_time_than_the_input_says(maps: Maps) -> None:
    started = time.monotonic()
    execution = maps.start([{"key": str(n), "sleep": 0.5} for n in range(6)])
    maps.ended(execution)
    assert time.monotonic() - started >= 1.5
    assert maps.run_of(execution)["maxConcurrency"] == 2


def test_a_stopped_execution_takes_its_children_with_it(maps: Maps) -> None:
    execution = maps.start([{"key": str(n), "sleep": 1} for n in range(20)])
    wait_until(lambda: maps.run_of(execution)["itemCounts"]["running"])
    maps.states.stop_execution(executionArn=execution)
    counts = wait_until(lambda: (found := maps.run_of(execution)["itemCounts"])["running"] == 0 and found)
    time.sleep(1.5)
    assert maps.run_of(execution)["itemCounts"] == counts
    assert counts["pending"] >= 16
    assert maps.run_of(execution)["status"] == "ABORTED"
    assert maps.ended(execution)["status"] == "ABORTED"


def test_histories_tell_what_children_did_and_that_a_run_failed(maps: Maps) -> None:
    execution = maps.start([{"key": "a"}, *[{"key": "b", "fail": True}] * 2])
    maps.ended(execution)

    def events(arn: str) -> list[dict[str, Any]]:
        return list(maps.states.get_execution_history(executionArn=arn)["events"])

    [failed] = [event for event in events(execution) if event["type"] == "MapRunFailed"]
    assert failed["mapRunFailedEventDetails"]["error"] == "States.ExceedToleratedFailureThreshold"
    run = maps.run_of(execution)["mapRunArn"]
    children = maps.states.list_executions(mapRunArn=run)["executions"]
    histories = {child["status"]: events(child["executionArn"]) for child in children}
    for history in histories.values():
        assert history[0]["stateEnteredEventDetails"]["name"] == "Work"
        assert history[0]["type"] == "TaskStateEntered"
    assert histories["FAILED"][-1]["taskFailedEventDetails"]["error"] == "KeyError"
