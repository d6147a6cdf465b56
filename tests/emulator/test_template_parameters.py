"""CloudFormation refuses combinations of the template's parameters, before it creates or changes anything."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator
from testkit.translate import REPOSITORY, TEMPLATE, read, translate


@pytest.fixture(scope="module")
def database_rule() -> dict[str, Any]:
    """A template with the rule about the versions, its parameters, and one resource."""
    template = translate(read(TEMPLATE), REPOSITORY)
    return {
        "Parameters": {
            name: template["Parameters"][name] for name in ("DatabaseVersion", "ReplicaVersion", "Replicas")
        },
        "Rules": {"ReplicaFirst": template["Rules"]["ReplicaFirst"]},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    }


@pytest.mark.parametrize(
    ("primary", "replica", "refused"),
    [
        ("10.11", "", False),
        ("11.8", "", False),
        ("10.11", "10.11", False),
        ("10.11", "11.4", False),
        ("10.11", "11.8", False),
        ("11.4", "11.8", False),
        ("11.4", "11.4", False),
        ("11.4", "10.11", True),
        ("11.8", "10.11", True),
        ("11.8", "11.4", True),
    ],
)
def test_a_replica_older_than_its_primary_is_refused(
    emulator: Emulator, database_rule: dict[str, Any], primary: str, replica: str, *, refused: bool
) -> None:
    cloudformation: Any = emulator.client("cloudformation")
    request = {
        "StackName": f"versions-{primary}-{replica or 'none'}".replace(".", "-"),
        "TemplateBody": json.dumps(database_rule),
        "Parameters": [
            {"ParameterKey": "DatabaseVersion", "ParameterValue": primary},
            {"ParameterKey": "ReplicaVersion", "ParameterValue": replica},
        ],
    }
    if not refused:
        cloudformation.create_stack(**request)
        return
    with pytest.raises(ClientError, match="Raise ReplicaVersion in one deploy, and DatabaseVersion in the next"):
        cloudformation.create_stack(**request)
