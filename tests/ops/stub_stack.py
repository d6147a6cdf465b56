"""A stack in miniature: a Sluice's outputs, with workflows and functions that answer what a test wants."""

import json
from pathlib import Path
from typing import Any

from tests.emulator.harness import Emulator, build_function, deploy_stack

STACK_NAME = "miniature"


# Each function answers what stands in a file under its name and its event's step or action. An answer with `raise` is
# an error of that class.
FUNCTION_CODE = """
    import json, os

    def handle(event, context):
        answers = json.load(open(os.environ["ANSWERS"]))
        with open(os.environ["ANSWERS"] + ".asked", "a") as asked:
            asked.write(json.dumps([os.environ["NAME"], event]) + "\\n")
        found = answers[os.environ["NAME"]]
        found = found.get(event.get("step") or event.get("action") or "", found)
        if isinstance(found, list):
            kind = lambda event: event.get("step") or event.get("action")
            asked = map(json.loads, open(os.environ["ANSWERS"] + ".asked"))
            times = sum(1 for name, other in asked if (name, kind(other)) == (os.environ["NAME"], kind(event)))
            found = found[min(times, len(found)) - 1]
        if "raise" in found:
            raise type(found["raise"], (Exception,), {})(found["said"])
        return found
"""


PASS_DEFINITION: dict[str, Any] = {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": {}, "End": True}}}


FUNCTIONS = ("Plan", "HealthCheck", "RejectedWrites", "Rebuild")


WORKFLOWS = ("Replay", "Recover", "Load")


def build_template(answers: Path) -> dict[str, Any]:
    """The SAM template of it."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    }
    resources: dict[str, Any] = {
        "Role": role,
        "Batches": {"Type": "AWS::S3::Bucket"},
        "Archive": {"Type": "AWS::S3::Bucket"},
        "DeadLetters": {"Type": "AWS::SQS::Queue"},
        "Clients": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {}},
    }
    outputs: dict[str, Any] = {
        "BatchBucketName": {"Value": {"Ref": "Batches"}},
        "ArchiveBucketName": {"Value": {"Ref": "Archive"}},
        "EventDeadLettersUrl": {"Value": {"Ref": "DeadLetters"}},
        "ClientPlanId": {"Value": {"Ref": "Clients"}},
    }
    for name in FUNCTIONS:
        variables = {"ANSWERS": str(answers), "NAME": name}
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
    "primary": {"answers": True, "takes_writes": True, "reason": ""},
    "replica": {"answers": True, "follows": True, "seconds": 0.2, "reason": ""},
    "ledger": {"batches": 12, "latest": "batches/x", "rejected": 0},
    "sentence": "The primary takes writes; the replica follows it.",
}


REPLAY_REPORT: dict[str, Any] = {
    "request": {"source": "batches"},
    "status": "complete", "listed": 9, "planned": 3, "bytes": 3000, "oldest": "2026-11-25T03:00:00Z",
    "loaded": 2, "already_loaded": 1, "quarantined": 0, "failed": 0, "applied": 20, "stale": 1, "rejected": 0,
    "remaining": 0, "remaining_sample": [], "failures": [], "stopped": False, "seconds": 1.5,
    "report": {"bucket": "b", "key": "replays/r/report.json"},
}  # fmt: skip


def build_verified_plan(*keys: str, objects: int = 0, oldest: str = "2026-11-25T03:00:00Z") -> dict[str, Any]:
    """A plan that is verified, with what remains."""
    count = objects or len(keys)
    found = {"objects": count, "bytes": 10 * count, "oldest": oldest if count else None, "sample": list(keys)}
    return {"verified": True, "remaining": found}


class StubStack:
    """The deployed one, and what its parts are to answer."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self._file = folder / "answers.json"
        self.outputs = deploy_stack(emulator, STACK_NAME, build_template(self._file))
        self.step_functions, self.s3, self.sqs = (emulator.client(name) for name in ("stepfunctions", "s3", "sqs"))
        self.bucket = self.outputs["BatchBucketName"]
        self.responses: dict[str, Any] = {}
        self.reset()

    def reset(self) -> None:
        """All is well and nothing is there."""
        begun = {"verified": False}
        nothing = {"settled": 0, "again": 0, "pending": []}
        self.responses = {
            "HealthCheck": HEALTHY_DATABASE,
            "Plan": {"begin": begun, "verify": build_verified_plan()},
            "Rebuild": {"kept": {"kept": []}, "drop": {}},
            "RejectedWrites": {"settle": nothing, "list": {"total": 0, "rejects": [], "after": None}},
        }
        self._asked.unlink(missing_ok=True)
        self.set_response()
        for name in WORKFLOWS:
            self.set_workflow_output(name, {})
        for bucket in (self.bucket, self.outputs["ArchiveBucketName"]):
            for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=one["Key"])
        self.sqs.purge_queue(QueueUrl=self.outputs["EventDeadLettersUrl"])

    @property
    def _asked(self) -> Path:
        return self._file.with_name(f"{self._file.name}.asked")

    @property
    def invocations(self) -> list[tuple[str, dict[str, Any]]]:
        """What the functions were asked, in order."""
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        return [(name, event) for name, event in map(json.loads, lines)]

    def set_response(self, function: str = "", **answers: Any) -> None:
        """Change what a function answers to a step or action; a list is answered one by one."""
        if function:
            self.responses[function] = {**self.responses[function], **answers}
        self._file.write_text(json.dumps(self.responses))

    def define_workflow(self, workflow: str, states: dict[str, Any]) -> None:
        """Let a workflow be of these states, the first one first."""
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
        """The latest started first; the service lists those that ended by their end."""
        machine = self.outputs[f"{workflow}StateMachineArn"]
        found = self.step_functions.list_executions(stateMachineArn=machine)["executions"]
        return sorted(found, key=lambda one: one["startDate"], reverse=True)

    def latest_input(self, workflow: str) -> Any:
        """The input of the latest execution."""
        arn = self.list_executions(workflow)[0]["executionArn"]
        return json.loads(self.step_functions.describe_execution(executionArn=arn)["input"])

    def put_object(self, key: str, content: bytes = b"x", bucket: str = "") -> None:
        self.s3.put_object(Bucket=bucket or self.bucket, Key=key, Body=content)

    def list_keys(self, prefix: str = "") -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", [])]
