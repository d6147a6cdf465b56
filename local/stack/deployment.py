"""Deploy the built template to the emulator with `sam deploy`, and read what is deployed."""

from pathlib import Path
from typing import Any

from local.process import LocalError
from local.stack.folder import StackFolder
from local.stack.parameters import format_overrides
from local.stack.sam import run_sam
from local.stack.services import CREDENTIALS, REGION, STACK_NAME, EmulatorProcess
from ops.failures.explanation import FailedStack, explain_deploy
from ops.samconfig import SAMCONFIG_PATH


def deploy_stack(
    folder: StackFolder,
    emulator: EmulatorProcess,
    parameters: dict[str, str],
    *,
    stack_name: str = STACK_NAME,
    template: Path | None = None,
) -> dict[str, str]:
    """Deploy a built template with these parameters; returns the outputs of the stack. Raises LocalError."""
    if read_status(emulator, stack_name) == "ROLLBACK_COMPLETE":
        # CloudFormation can only delete a stack whose first deploy failed. It has no resources.
        delete_stack(emulator, stack_name)
    failed = FailedStack(emulator.client("cloudformation"), stack_name, REGION, is_local=True)
    run_sam(
        [
            "deploy",
            *("--template-file", str(template or folder.build / "template.yaml")),
            *("--config-file", str(SAMCONFIG_PATH), "--config-env", "local"),
            *("--stack-name", stack_name),
            *("--region", REGION),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--parameter-overrides", *format_overrides(parameters)),
            *("--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        ],
        folder.log_path("deploy"),
        environment={
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            # How often it asks for the state of the deployment, which takes a few seconds here.
            "SAM_CLI_POLL_DELAY": "0.2",
            "NO_PROXY": "127.0.0.1",
        },
        explain=lambda output: explain_deploy(failed, output),
    )
    return read_outputs(emulator, stack_name)


def is_deployed(emulator: EmulatorProcess) -> bool:
    """Whether the emulator has the complete stack."""
    return read_status(emulator) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def read_outputs(emulator: EmulatorProcess, stack_name: str = STACK_NAME) -> dict[str, str]:
    stack = _describe(emulator, stack_name)
    if stack is None:
        raise LocalError(f"The emulator has no stack {stack_name}; run `make up`.")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _describe(emulator: EmulatorProcess, stack_name: str) -> dict[str, Any] | None:
    client = emulator.client("cloudformation")
    try:
        stacks: list[dict[str, Any]] = client.describe_stacks(StackName=stack_name)["Stacks"]
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return stacks[0] if stacks else None


def read_status(emulator: EmulatorProcess, stack_name: str = STACK_NAME) -> str:
    """The status of the stack, such as CREATE_COMPLETE, or an empty string if there is none."""
    stack = _describe(emulator, stack_name)
    return str(stack["StackStatus"]) if stack else ""


def delete_stack(emulator: EmulatorProcess, stack_name: str = STACK_NAME) -> None:
    """Delete the stack and wait until it is gone. Raises WaiterError of botocore if something cannot be deleted."""
    client = emulator.client("cloudformation")
    client.delete_stack(StackName=stack_name)
    client.get_waiter("stack_delete_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1})


def list_functions(emulator: EmulatorProcess, stack_name: str = STACK_NAME) -> list[str]:
    """The names of the functions of the stack."""
    pages = emulator.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return [
        str(resource["PhysicalResourceId"])
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    ]
