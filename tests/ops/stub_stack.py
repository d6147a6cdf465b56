"""A stub stack: the outputs of a Sluice stack, with workflows and functions that respond as a test sets them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from testkit.emulator_harness import Emulator, build_function, deploy_stack

STACK_NAME = "stub-stack"


# Each function responds with the entry for its name and the event's step or action in the responses file. A response
# with `raise` is an error of that class. It logs its invocation in a second file.
FUNCTION_CODE = """
    import json, os

    def handle(event, context):
        name, path = os.environ["NAME"], os.environ["RESPONSES"]
        action = lambda event: event.get("step") or event.get("action")
        with open(path + ".invocations", "a") as log:
            log.write(json.dumps([name, event]) + "\\n")
        response = json.load(open(path))[name]
        response = response.get(action(event) or "", response)
        if isinstance(response, list):
            invocations = map(json.loads, open(path + ".invocations"))
            count = sum(1 for other, previous in invocations if (other, action(previous)) == (name, action(event)))
            response = response[min(count, len(response)) - 1]
        if "raise" in response:
            raise type(response["raise"], (Exception,), {})(response["message"])
        return response
"""
PASS_DEFINITION: dict[str, Any] = {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": {}, "End": True}}}


FUNCTIONS = ("Plan", "HealthCheck", "RejectedWrites", "Rebuild")
WORKFLOWS = ("Replay", "Recover", "Restore", "Load", "ProveBackup")


def build_template(responses: Path) -> dict[str, Any]:
    """The SAM template of the stub stack."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    }
    resources: dict[str, Any] = {
        "Role": role,
        "Batches": {"Type": "AWS::S3::Bucket"},
        "Archive": {"Type": "AWS::S3::Bucket"},
        "DeadLetters": {"Type": "AWS::SQS::Queue"},
        "Alerts": {"Type": "AWS::SNS::Topic"},
        "Clients": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {}},
    }
    outputs: dict[str, Any] = {
        "Url": {"Value": "http://127.0.0.1:9"},
        "BatchBucketName": {"Value": {"Ref": "Batches"}},
        "ArchiveBucketName": {"Value": {"Ref": "Archive"}},
        "EventDeadLettersUrl": {"Value": {"Ref": "DeadLetters"}},
        "AlertsTopicArn": {"Value": {"Ref": "Alerts"}},
        "ClientPlanId": {"Value": {"Ref": "Clients"}},
        "StageName": {"Value": "live"},
        "GetFunctionName": {"Value": "stub-get"},
    }
    for name in FUNCTIONS:
        variables = {"RESPONSES": str(responses), "NAME": name}
        resources[f"{name}Function"] = build_function(FUNCTION_CODE, Environment={"Variables": variables})
        outputs[f"{name}FunctionName"] = {"Value": {"Ref": f"{name}Function"}}
    for name in WORKFLOWS:
        resources[name] = {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "DefinitionString": json.dumps(PASS_DEFINITION)},
        }
        outputs[f"{name}StateMachineArn"] = {"Value": {"Ref": name}}
    return {"Resources": resources, "Outputs": outputs}


HEALTHY_DATABASE: dict[str, Any] = {
    "primary": {"is_reachable": True, "accepts_writes": True, "reason": ""},
    "replicas": [
        {"name": "replica-1", "is_reachable": True, "replicates": True, "seconds": 0.1, "reason": ""},
        {"name": "replica-2", "is_reachable": True, "replicates": True, "seconds": 0.2, "reason": ""},
    ],
    "ledger": {"batches": 12, "latest": "batches/x", "rejected": 0},
    "summary": "The primary accepts writes; its 2 replicas follow it.",
}


REPLAY_REPORT: dict[str, Any] = {
    "request": {"source": "batches"},
    "status": "complete", "listed": 9, "planned": 3, "bytes": 3000, "oldest": "2026-11-25T03:00:00Z",
    "loaded": 2, "already_loaded": 1, "quarantined": 0, "failed": 0, "applied": 20, "stale": 1, "rejected": 0,
    "remaining": 0, "remaining_sample": [], "failures": [], "stopped": False, "seconds": 1.5,
    "report": {"bucket": "b", "key": "replays/r/report.json"},
}  # fmt: skip


def build_verified_plan(*keys: str, objects: int = 0, oldest: str = "2026-11-25T03:00:00Z") -> dict[str, Any]:
    """A verified plan in which these keys remain, or more `objects` than the keys."""
    count = objects or len(keys)
    summary = {"objects": count, "bytes": 10 * count, "oldest": oldest if count else None, "sample": list(keys)}
    return {"verified": True, "remaining": summary}


class StubStack:
    """The deployed stub stack, and the responses of its functions and workflows."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self._file = folder / "responses.json"
        self.outputs = deploy_stack(emulator, STACK_NAME, build_template(self._file))
        self.emulator = emulator
        self.step_functions = emulator.client("stepfunctions")
        self.s3 = emulator.client("s3")
        self.sqs = emulator.client("sqs")
        self.bucket = self.outputs["BatchBucketName"]
        self.responses: dict[str, Any] = {}
        self.reset()

    def reset(self) -> None:
        """Everything is healthy, nothing runs and nothing is stored."""
        started_plan = {"verified": False}
        nothing_settled = {"settled": 0, "rejected_again": 0, "pending": []}
        self.responses = {
            "HealthCheck": HEALTHY_DATABASE,
            "Plan": {"begin": started_plan, "verify": build_verified_plan(), "look_up": {"loaded": []}},
            "Rebuild": {"list_retained": {"retained": []}, "drop_retained": {}},
            "RejectedWrites": {"settle": nothing_settled, "list": {"total": 0, "rejected_writes": [], "after": None}},
        }
        self._log.unlink(missing_ok=True)
        self.set_response()
        for name in WORKFLOWS:
            self.set_workflow_output(name, {})
            for execution in self.list_executions(name):
                if execution["status"] == "RUNNING":
                    # It may have ended since it was listed.
                    with suppress(self.step_functions.exceptions.ClientError):
                        self.step_functions.stop_execution(executionArn=execution["executionArn"])
        for bucket in (self.bucket, self.outputs["ArchiveBucketName"]):
            for entry in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=entry["Key"])
        self.sqs.purge_queue(QueueUrl=self.outputs["EventDeadLettersUrl"])

    @property
    def _log(self) -> Path:
        return self._file.with_name(f"{self._file.name}.invocations")

    @property
    def invocations(self) -> list[tuple[str, dict[str, Any]]]:
        """The invocations of the functions, in order: name and event."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [(name, event) for name, event in map(json.loads, lines)]

    def set_response(self, function: str = "", **responses: Any) -> None:
        """Set the responses of a function by step or action. A list has one response per invocation."""
        if function:
            self.responses[function] = {**self.responses[function], **responses}
        self._file.write_text(json.dumps(self.responses))

    def define_workflow(self, workflow: str, states: dict[str, Any]) -> None:
        """Replace the states of a workflow. It starts at the first one."""
        definition = {"StartAt": next(iter(states)), "States": states}
        machine = self.outputs[f"{workflow}StateMachineArn"]
        self.step_functions.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition))

    def set_workflow_output(self, workflow: str, output: Any, seconds: int = 0) -> None:
        """Let a workflow succeed with an output, after some seconds."""
        say = {"Say": {"Type": "Pass", "Result": output, "End": True}}
        wait = {"Wait": {"Type": "Wait", "Seconds": seconds, "Next": "Say"}} if seconds else {}
        self.define_workflow(workflow, {**wait, **say})

    def set_workflow_failure(self, workflow: str, error: str, cause: str) -> None:
        self.define_workflow(workflow, {"Say": {"Type": "Fail", "Error": error, "Cause": cause}})

    def list_executions(self, workflow: str) -> list[dict[str, Any]]:
        """The executions, the latest start first. (The service sorts executions that ended by their end.)"""
        machine = self.outputs[f"{workflow}StateMachineArn"]
        executions = self.step_functions.list_executions(stateMachineArn=machine)["executions"]
        return sorted(executions, key=lambda entry: entry["startDate"], reverse=True)

    def latest_input(self, workflow: str) -> Any:
        """The input of the latest execution."""
        arn = self.list_executions(workflow)[0]["executionArn"]
        return json.loads(self.step_functions.describe_execution(executionArn=arn)["input"])

    def put_object(self, key: str, content: bytes = b"x", bucket: str = "") -> None:
        self.s3.put_object(Bucket=bucket or self.bucket, Key=key, Body=content)

    def list_keys(self, prefix: str = "") -> list[str]:
        listing = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in listing.get("Contents", [])]
