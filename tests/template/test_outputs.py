"""Every function and workflow has an output, by which the operators' command finds it."""

from typing import Any

import pytest

from ops.template import read_template
from ops.workflows import WORKFLOW_OUTPUTS

TEMPLATE = read_template()


def list_resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == kind}


def describe(output_name: str, resource: str) -> tuple[Any, Any]:
    """What an output has, without its description, and what it has to have."""
    expected = {"Value": {"Ref": resource}}
    if condition := TEMPLATE["Resources"][resource].get("Condition"):
        expected["Condition"] = condition
    deployed = TEMPLATE["Outputs"].get(output_name, {})
    return {key: value for key, value in deployed.items() if key != "Description"}, expected


@pytest.mark.parametrize("function", list_resources("AWS::Serverless::Function"))
def test_every_function_has_an_output_with_its_condition(function: str) -> None:
    output, expected = describe(f"{function}Name", function)
    assert output == expected


def test_every_workflow_has_an_output_that_the_commands_know() -> None:
    workflows = list_resources("AWS::Serverless::StateMachine")
    outputs = {"LoadStateMachineArn" if name == "LoadBatch" else f"{name}StateMachineArn": name for name in workflows}
    assert set(outputs) == set(WORKFLOW_OUTPUTS.values())
    for output_name, name in outputs.items():
        output, expected = describe(output_name, name)
        assert output == expected
