"""Run workflows on the emulator, with stub functions in place of the real ones."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from testkit.emulator_harness import Emulator, build_function, deploy_stack, start_emulator, wait_until
from testkit.translate import REPOSITORY

Definition = dict[str, Any]

# Errors of Lambda itself, and of a function that exceeds its time or memory.
LAMBDA_ERRORS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
]

# Raises the errors of a list, one at each call. An error with a `!` is raised at every further call.
ERRORS = """
    import json, os, pathlib

    def stumble(errors, place):
        count = pathlib.Path(os.environ["FOLDER"], place.replace("/", "-").replace(":", "-"))
        attempt = len(count.read_bytes()) if count.exists() else 0
        count.write_bytes(b"." * (attempt + 1))
        error = errors[min(attempt, len(errors) - 1)] if errors else ""
        if error and (attempt < len(errors) or error.endswith("!")):
            raise type(error.rstrip("!"), (Exception,), {})("a sentence")
        return attempt + 1
"""


def read_definition(name: str) -> Definition:
    return dict(json.loads((REPOSITORY / f"statemachines/{name}.asl.json").read_text()))


def limit_retries(whole: Definition) -> Definition:
    """The same workflow with at most one retry, after one second."""
    copied: Definition = json.loads(json.dumps(whole))
    for _, state in list_states(copied):
        for retry in state.get("Retry", []):
            retry["MaxAttempts"] = min(retry["MaxAttempts"], 1)
            retry.update({"IntervalSeconds": 1} if retry["MaxAttempts"] else {})
    return copied


def list_states(whole: Definition) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state by name, including the states of a Map."""
    for name, state in whole["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from list_states(state["ItemProcessor"])


@dataclass
class Running:
    """Executions of deployed workflows, and the folder where their functions count their calls."""

    emulator: Emulator
    outputs: dict[str, str]
    folder: Path
    started: list[str] = field(default_factory=list)

    def start(self, execution_input: Any, machine: str = "Patient") -> str:
        started = self.emulator.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[machine], input=json.dumps(execution_input)
        )
        self.started.append(str(started["executionArn"]))
        return self.started[-1]

    def wait_for_end(self, execution: str, seconds: float = 60) -> dict[str, Any]:
        client = self.emulator.client("stepfunctions")

        def ended() -> Any:
            description = client.describe_execution(executionArn=execution)
            return description if description["status"] != "RUNNING" else None

        return dict(wait_until(ended, seconds))

    def output(self, execution: str) -> Any:
        description = self.wait_for_end(execution)
        assert description["status"] == "SUCCEEDED", description
        return json.loads(description["output"])

    def states(self, execution: str) -> list[str]:
        """The states that an execution entered, in order and with repetitions."""
        history = self.emulator.client("stepfunctions").get_execution_history(executionArn=execution, maxResults=1000)
        entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in history["events"]]
        return [name for name in entered if name]

    def histories(self) -> Iterator[list[dict[str, Any]]]:
        """The events of each started execution, and of each child execution."""
        client = self.emulator.client("stepfunctions")
        for execution in self.started:
            yield self._history(execution)
            for run in client.list_map_runs(executionArn=execution)["mapRuns"]:
                for child in client.list_executions(mapRunArn=run["mapRunArn"])["executions"]:
                    yield self._history(child["executionArn"])

    def _history(self, execution: str) -> list[dict[str, Any]]:
        pages = self.emulator.client("stepfunctions").get_paginator("get_execution_history")
        return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]

    def calls(self, place: str) -> int:
        """How often a function was called with this name."""
        path = self.folder / place.replace("/", "-").replace(":", "-")
        return len(path.read_bytes()) if path.exists() else 0

    def messages(self) -> list[dict[str, Any]]:
        """The alerts so far."""
        queue, messages = self.emulator.client("sqs"), []
        while received := queue.receive_message(
            QueueUrl=self.outputs["Inbox"], MaxNumberOfMessages=10, VisibilityTimeout=30
        ).get("Messages"):
            messages += [json.loads(message["Body"]) for message in received]
        return messages


class Run:
    """One finished execution. Its functions read the script from a file.

    The script is also the execution's input, unless there is a `given` one.
    """

    def __init__(self, running: Running, machine: str = "Patient", execution_input: Any = None, **script: Any) -> None:
        self.running, self.run = running, uuid4().hex
        script = {"run": self.run, **script}
        (running.folder / "script").write_text(json.dumps(script))
        self.execution = running.start(script if execution_input is None else execution_input, machine)
        self.end = running.wait_for_end(self.execution)
        self.states = running.states(self.execution)

    @property
    def output(self) -> Any:
        assert self.end["status"] == "SUCCEEDED", self.end
        return json.loads(self.end["output"])

    def calls(self, place: str) -> int:
        return self.running.calls(f"{self.run}-{place}")


def build_inbox() -> dict[str, Any]:
    """A topic `Alerts`, and a queue `Inbox` that gets its messages."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Inbox", "Arn"]},
    }
    copied = {"TopicArn": {"Ref": "Alerts"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Inbox", "Arn"]}}
    return {
        "Alerts": {"Type": "AWS::SNS::Topic"},
        "Inbox": {"Type": "AWS::SQS::Queue"},
        "Copy": {"Type": "AWS::SNS::Subscription", "Properties": copied},
        "Letter": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Inbox"}], "PolicyDocument": {"Statement": [statement]}},
        },
    }


def build_state_machine(whole: Definition, **substitutions: Any) -> dict[str, Any]:
    """A workflow whose role has all permissions; other tests check the real ones."""
    return {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "Definition": whole,
            "DefinitionSubstitutions": {"Partition": "aws", **substitutions},
            "Policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}],
        },
    }


def build_counting_function(code: str, folder: Path, **more: Any) -> dict[str, Any]:
    """A function with this source, the helper `stumble`, and all permissions."""
    return build_function(
        ERRORS + code,
        Environment={"Variables": {"FOLDER": str(folder), **more}},
        Policies=[{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}],
    )


@contextmanager
def deploy_workflow(name: str, resources: Mapping[str, Any], state: Path, folder: Path) -> Iterator[Running]:
    """An emulator with these resources. The references of workflows, functions, queues and buckets are outputs."""
    types = {"AWS::Serverless::StateMachine", "AWS::Serverless::Function", "AWS::SQS::Queue", "AWS::S3::Bucket"}
    outputs = {key: {"Value": {"Ref": key}} for key, resource in resources.items() if resource["Type"] in types}
    emulator = start_emulator(state)
    try:
        yield Running(
            emulator, deploy_stack(emulator, name, {"Resources": dict(resources), "Outputs": outputs}), folder
        )
    finally:
        emulator.stop()
