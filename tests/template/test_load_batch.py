"""load_batch on the emulator, with small functions in place of the two that it calls: each way through it is taken."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from testkit.emulator_harness import build_function, deploy_stack, start_emulator, wait_until
from testkit.translate import REPOSITORY
from tests.template.branches import find_taken_branches, list_branches
from tests.template.running import LAMBDA_ERRORS, Running, build_inbox

DEFINITION = json.loads((REPOSITORY / "statemachines/load_batch.asl.json").read_text())
EVENT = json.loads((REPOSITORY / "events/load_batch/delivered.json").read_text())

# The object's key says which errors come before it is loaded, such as `batches/LockConflict,LockConflict`; an error
# with a `!`
# comes for ever. The attempts are counted in a file of the batch's name.
LOAD = """
    import os, pathlib

    def handle(event, context):
        count = pathlib.Path(os.environ["FOLDER"], event["etag"])
        attempt = len(count.read_bytes()) if count.exists() else 0
        count.write_bytes(b"." * (attempt + 1))
        errors = event["key"].removeprefix("batches/").split(",")
        error = errors[min(attempt, len(errors) - 1)]
        if error and (attempt < len(errors) or error.endswith("!")):
            raise type(error.rstrip("!"), (Exception,), {})("secret of a record")
        return {"key": event["key"], "etag": event["etag"], "status": "loaded", "attempts": attempt + 1}
"""
QUARANTINE = """
    import json, os, pathlib

    def handle(event, context):
        if "NoCopy" in event["key"]:
            raise OSError("no copy")
        pathlib.Path(os.environ["FOLDER"], "quarantined-" + event["etag"]).write_text(json.dumps(event))
        return {"key": event["key"]}
"""


class Workflow(Running):
    """Executions of load_batch, each for a batch of its own."""

    def begin(self, errors: str, machine: str = "Patient") -> tuple[str, str]:
        """Start an execution whose load meets those errors; its ARN, and the batch's ETag."""
        etag = uuid4().hex
        detail = {**EVENT["detail"], "object": {**EVENT["detail"]["object"], "key": f"batches/{errors}", "etag": etag}}
        return self.start({**EVENT, "detail": detail}, machine), etag

    def message(self, execution: str) -> str:
        """The alert that an execution sent."""
        queue = self.emulator.client("sqs")

        def received() -> str | None:
            answer = queue.receive_message(QueueUrl=self.outputs["Inbox"], MaxNumberOfMessages=10, VisibilityTimeout=0)
            texts = [json.loads(message["Body"])["Message"] for message in answer.get("Messages", [])]
            return next((text for text in texts if execution in text), None)

        return str(wait_until(received))


def _machine(definition: dict[str, Any], alerts: Any) -> dict[str, Any]:
    substitutions = {
        "Partition": "aws",
        "LoadFunction": {"Fn::GetAtt": ["Load", "Arn"]},
        "QuarantineFunction": {"Fn::GetAtt": ["Quarantine", "Arn"]},
        "Alerts": alerts,
    }
    policies = [{"LambdaInvokePolicy": {"FunctionName": {"Ref": name}}} for name in ("Load", "Quarantine")]
    properties = {"Definition": definition, "DefinitionSubstitutions": substitutions, "Policies": policies}
    return {"Type": "AWS::Serverless::StateMachine", "Properties": properties}


def _hasty(definition: dict[str, Any]) -> dict[str, Any]:
    """The same workflow, except that it gives up after one retry."""
    hasty = json.loads(json.dumps(definition))
    for state in hasty["States"].values():
        for retry in state.get("Retry", []):
            retry["MaxAttempts"] = min(retry["MaxAttempts"], 1)
    return dict(hasty)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    folder = tmp_path_factory.mktemp("attempts")
    environment = {"Variables": {"FOLDER": str(folder)}}
    resources = {
        "Load": build_function(LOAD, Environment=environment),
        "Quarantine": build_function(QUARANTINE, Environment=environment),
        **build_inbox(),
        "Patient": _machine(DEFINITION, {"Ref": "Alerts"}),
        "Hasty": _machine(_hasty(DEFINITION), {"Ref": "Alerts"}),
        "Mute": _machine(_hasty(DEFINITION), "arn:aws:sns:us-east-1:000000000000:nowhere"),
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("Load", "Inbox", "Patient", "Hasty", "Mute")}
    emulator = start_emulator(tmp_path_factory.mktemp("emulator"))
    try:
        yield Workflow(
            emulator, deploy_stack(emulator, "load-batch", {"Resources": resources, "Outputs": outputs}), folder
        )
    finally:
        emulator.stop()


def test_a_batch_is_loaded_with_what_the_event_says(workflow: Workflow) -> None:
    execution, etag = workflow.begin("")
    ended = workflow.wait_for_end(execution)
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"key": "batches/", "etag": etag, "status": "loaded", "attempts": 1}


@pytest.mark.parametrize(
    "errors",
    [
        "LockConflict,LockConflict",
        "DatabaseUnavailable,DatabaseUnavailable",
        "SchemaOutdated",
        "KeyError",
        "DatabaseUnavailable,LockConflict,SchemaOutdated",
    ],
)
def test_a_temporary_error_is_retried(workflow: Workflow, errors: str) -> None:
    ended = workflow.wait_for_end(workflow.begin(errors)[0])
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["attempts"] == len(errors.split(",")) + 1


def test_an_error_of_lambda_itself_is_retried(workflow: Workflow) -> None:
    begun = [workflow.begin(error)[0] for error in LAMBDA_ERRORS]
    for execution in begun:
        assert json.loads(workflow.wait_for_end(execution)["output"])["attempts"] == 2


def test_a_batch_waits_while_no_load_may_run(workflow: Workflow) -> None:
    functions = workflow.emulator.client("lambda")
    functions.put_function_concurrency(FunctionName=workflow.outputs["Load"], ReservedConcurrentExecutions=0)
    execution, etag = workflow.begin("")
    client = workflow.emulator.client("stepfunctions")

    def throttled() -> bool:
        events = client.get_execution_history(executionArn=execution)["events"]
        failures = [event.get("taskFailedEventDetails", {}).get("error") for event in events]
        return failures.count("Lambda.TooManyRequestsException") > 1

    wait_until(throttled, 30)
    functions.delete_function_concurrency(FunctionName=workflow.outputs["Load"])
    assert workflow.wait_for_end(execution)["status"] == "SUCCEEDED"
    assert (workflow.folder / etag).read_bytes() == b"."


def test_an_unreadable_batch_is_quarantined_at_once(workflow: Workflow) -> None:
    execution, etag = workflow.begin("UnreadableBatch!")
    ended = workflow.wait_for_end(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "Quarantined")
    assert workflow.states(execution) == ["Load", "Quarantine", "NotifyQuarantined", "Quarantined"]
    assert (workflow.folder / etag).read_bytes() == b"."
    assert json.loads((workflow.folder / f"quarantined-{etag}").read_text()) == {
        "bucket": EVENT["detail"]["bucket"]["name"],
        "key": "batches/UnreadableBatch!",
        "etag": etag,
        "reason": "UnreadableBatch",
    }
    message = workflow.message(execution)
    assert "batches/UnreadableBatch! cannot be read (UnreadableBatch)" in message
    assert "quarantine/batches/UnreadableBatch!" in message


@pytest.mark.parametrize(
    "error", ["DatabaseUnavailable", "LockConflict", "SchemaOutdated", "Sandbox.Timedout", "KeyError"]
)
def test_a_batch_is_parked_with_an_alert_when_its_error_persists(workflow: Workflow, error: str) -> None:
    execution, etag = workflow.begin(f"{error}!", "Hasty")
    ended = workflow.wait_for_end(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "Parked")
    assert workflow.states(execution) == ["Load", "NotifyParked", "Parked"]
    assert (workflow.folder / etag).read_bytes() == b".."
    message = workflow.message(execution)
    assert f"batches/{error}! is parked: its load used up its retries. The last error was {error}." in message
    assert "secret" not in message


def test_a_batch_that_cannot_be_quarantined_is_parked(workflow: Workflow) -> None:
    execution, _ = workflow.begin("UnreadableBatch,NoCopy", "Hasty")
    assert workflow.wait_for_end(execution)["error"] == "Parked"
    assert workflow.states(execution) == ["Load", "Quarantine", "NotifyParked", "Parked"]
    assert "The last error was OSError" in workflow.message(execution)


@pytest.mark.parametrize(("errors", "end"), [("DatabaseUnavailable!", "Parked"), ("UnreadableBatch!", "Quarantined")])
def test_a_message_that_cannot_be_sent_changes_nothing(workflow: Workflow, errors: str, end: str) -> None:
    execution, _ = workflow.begin(errors, "Mute")
    assert workflow.wait_for_end(execution)["error"] == end
    assert workflow.states(execution)[-2:] == [f"Notify{end}", end]


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(workflow: Workflow) -> None:
    """Stands last: it looks at what the tests above did."""
    seen = {branch for history in workflow.histories() for branch in find_taken_branches(DEFINITION, history)}
    assert list_branches(DEFINITION) - seen == set()
