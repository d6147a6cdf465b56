"""Fixtures of the drills: the stack of tests/stack, and clients that read it, write to it and operate it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.stack import Stack
from tests.console.conftest import browser
from tests.drill.traffic import Traffic
from tests.stack.conftest import client, machine, machine_token, person, primary, replica, stack
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness

__all__ = ["browser", "client", "machine", "machine_token", "person", "primary", "replica", "stack"]


@pytest.fixture(scope="session")
def recovery(stack: Stack) -> RecoveryHarness:
    return RecoveryHarness(stack)


@pytest.fixture(scope="session")
def sluice(stack: Stack) -> Operator:
    return Operator(stack)


@pytest.fixture
def traffic(client: Any, machine_token: str) -> Callable[[str], Traffic]:
    """Return a function that creates traffic to the airports with a first letter."""
    return lambda letter: Traffic(client, machine_token, letter)


@pytest.fixture
def alerts(stack: Stack) -> Iterator[Callable[[], list[dict[str, str]]]]:
    """Return a function that returns the messages of the alerts topic since its last call."""
    queues, topics, topic = stack.aws_client("sqs"), stack.aws_client("sns"), stack.outputs["AlertsTopicArn"]
    queue = queues.create_queue(QueueName="drill")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    subscription = topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    def received() -> list[dict[str, str]]:
        messages: list[dict[str, str]] = []
        while answer := queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            messages += [json.loads(message["Body"]) for message in answer]
            for message in answer:
                queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return messages

    yield received
    topics.unsubscribe(SubscriptionArn=subscription)
    queues.delete_queue(QueueUrl=queue)
