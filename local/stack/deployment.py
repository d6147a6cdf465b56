"""Deploy the built template to the emulator with `sam deploy`, and read what is deployed."""

from typing import Any

from local.process import LocalError
from local.stack.folder import StackFolder
from local.stack.parameters import SAM_CONFIG, format_overrides
from local.stack.sam import run_sam
from local.stack.services import CREDENTIALS, REGION, STACK_NAME, EmulatorProcess


def deploy_stack(folder: StackFolder, emulator: EmulatorProcess, parameters: dict[str, str]) -> dict[str, str]:
    """Deploy the built template with these parameters; returns the outputs of the stack. Raises LocalError."""
    if _read_status(emulator) == "ROLLBACK_COMPLETE":
        # CloudFormation can only delete a stack whose first deploy failed. It has no resources.
        _delete_stack(emulator)
    run_sam(
        [
            "deploy",
            *("--template-file", str(folder.build / "template.yaml")),
            *("--config-file", str(SAM_CONFIG), "--config-env", "local"),
            *("--stack-name", STACK_NAME),
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
            "NO_PROXY": "127.0.0.1",
        },
        failure="sam deploy failed.",
    )
    return read_outputs(emulator)


def is_deployed(emulator: EmulatorProcess) -> bool:
    """Whether the emulator has the complete stack."""
    return _read_status(emulator) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def read_outputs(emulator: EmulatorProcess) -> dict[str, str]:
    stack = _describe(emulator)
    if stack is None:
        raise LocalError(f"The emulator has no stack {STACK_NAME}; run `make up`.")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _describe(emulator: EmulatorProcess) -> dict[str, Any] | None:
    client = emulator.client("cloudformation")
    try:
        stacks: list[dict[str, Any]] = client.describe_stacks(StackName=STACK_NAME)["Stacks"]
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return stacks[0] if stacks else None


def _read_status(emulator: EmulatorProcess) -> str:
    stack = _describe(emulator)
    return str(stack["StackStatus"]) if stack else ""


def _delete_stack(emulator: EmulatorProcess) -> None:
    client = emulator.client("cloudformation")
    client.delete_stack(StackName=STACK_NAME)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK_NAME, WaiterConfig={"Delay": 1})
