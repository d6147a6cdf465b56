"""Distributed Maps: their results in S3, their limits from the input, and how they end."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from testkit.emulator_harness import Emulator, build_function, deploy_stack, wait_until

CODE = """
    import time

    def handle(event, context):
        time.sleep(event.get("sleep", 0))
        if event.get("fail"):
            raise KeyError("key")
        return {"key": event["key"]}
"""
PRINCIPAL = {"Service": "states.amazonaws.com"}


class Maps:
    """Executions of a workflow that consists of one Distributed Map."""

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
            "MaxConcurrencyPath": "$.max_concurrency",
            "ToleratedFailureCountPath": "$.tolerated",
            "End": True,
            **state,
        }
        definition = json.dumps({"StartAt": "Each", "States": {"Each": each}})
        machine = self.states.create_state_machine(
            name=f"map-{uuid4()}", definition=definition, roleArn=self._outputs["Role"]
        )
        execution_input = {"results": f"results/{uuid4()}", "max_concurrency": 2, "tolerated": 1}
        self.results = execution_input["results"]
        return str(
            self.states.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(execution_input))[
                "executionArn"
            ]
        )

    def wait_for_end(self, execution: str) -> dict[str, Any]:
        def describe_if_ended() -> Any:
            description = self.states.describe_execution(executionArn=execution)
            return description if description["status"] != "RUNNING" else None

        return dict(wait_until(describe_if_ended, 30))

    def describe_run(self, execution: str) -> dict[str, Any]:
        [run] = wait_until(lambda: self.states.list_map_runs(executionArn=execution)["mapRuns"])
        return dict(self.states.describe_map_run(mapRunArn=run["mapRunArn"]))

    def read_files(self) -> dict[str, Any]:
        """Return the content of the result files by name."""
        bucket = self._outputs["Bucket"]
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=self.results).get("Contents", [])
        return {
            entry["Key"].rsplit("/", 1)[1]: json.loads(
                self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            )
            for entry in listed
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


def test_results_are_written_and_tolerated_failures_do_not_fail_the_run(maps: Maps) -> None:
    ended = maps.wait_for_end(maps.start([{"key": "a"}, {"key": "b", "fail": True}, {"key": "c"}]))
    assert ended["status"] == "SUCCEEDED"
    files = maps.read_files()
    assert set(files) == {"manifest.json", "SUCCEEDED_0.json", "FAILED_0.json"}
    details = json.loads(ended["output"])["ResultWriterDetails"]
    assert details["Key"].startswith(maps.results)
    assert details["Key"].endswith("/manifest.json")
    assert [json.loads(child["Output"]) for child in files["SUCCEEDED_0.json"]] == [{"key": "a"}, {"key": "c"}]
    [failed] = files["FAILED_0.json"]
    assert (failed["Status"], failed["Error"], json.loads(failed["Input"])["key"]) == ("FAILED", "KeyError", "b")
    assert files["manifest.json"]["ResultFiles"]["PENDING"] == []


def test_a_run_with_too_many_failures_ends_before_all_items_ran(maps: Maps) -> None:
    items = [{"key": str(n), "fail": True, "sleep": 0.1} for n in range(40)]
    execution = maps.start(items)
    ended = maps.wait_for_end(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    counts = maps.describe_run(execution)["itemCounts"]
    assert counts["failed"] >= 2
    assert counts["pending"] > 30
    files = maps.read_files()
    assert len(files["PENDING_0.json"]) == counts["pending"]


def test_the_input_limits_the_concurrency_of_the_children(maps: Maps) -> None:
    started = time.monotonic()
    execution = maps.start([{"key": str(n), "sleep": 0.5} for n in range(6)])
    maps.wait_for_end(execution)
    assert time.monotonic() - started >= 1.5
    assert maps.describe_run(execution)["maxConcurrency"] == 2


def test_a_stopped_execution_aborts_its_children(maps: Maps) -> None:
    execution = maps.start([{"key": str(n), "sleep": 1} for n in range(20)])
    wait_until(lambda: maps.describe_run(execution)["itemCounts"]["running"])
    maps.states.stop_execution(executionArn=execution)
    counts = wait_until(lambda: (current := maps.describe_run(execution)["itemCounts"])["running"] == 0 and current)
    time.sleep(1.5)
    assert maps.describe_run(execution)["itemCounts"] == counts
    assert counts["pending"] >= 16
    assert maps.describe_run(execution)["status"] == "ABORTED"
    assert maps.wait_for_end(execution)["status"] == "ABORTED"


def test_histories_contain_the_states_of_children_and_the_failure_of_a_run(maps: Maps) -> None:
    execution = maps.start([{"key": "a"}, *[{"key": "b", "fail": True}] * 2])
    maps.wait_for_end(execution)

    def read_history(arn: str) -> list[dict[str, Any]]:
        return list(maps.states.get_execution_history(executionArn=arn)["events"])

    [failed] = [event for event in read_history(execution) if event["type"] == "MapRunFailed"]
    assert failed["mapRunFailedEventDetails"]["error"] == "States.ExceedToleratedFailureThreshold"
    run = maps.describe_run(execution)["mapRunArn"]
    children = maps.states.list_executions(mapRunArn=run)["executions"]
    histories = {child["status"]: read_history(child["executionArn"]) for child in children}
    for history in histories.values():
        assert history[0]["stateEnteredEventDetails"]["name"] == "Work"
        assert history[0]["type"] == "TaskStateEntered"
    assert histories["FAILED"][-1]["taskFailedEventDetails"]["error"] == "KeyError"
