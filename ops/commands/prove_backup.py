"""`sluice prove-backup`: restore the newest snapshot to a temporary instance, and compare it with the live database."""

import argparse
from typing import Any

from ops.aws import Stack
from ops.errors import UsageError
from ops.output import CommandResult, format_batches
from ops.progress import wait_for_execution
from ops.times import format_duration
from ops.workflows import (
    build_started_result,
    get_execution_name,
    has_workflow,
    require_success,
    start_execution,
)

SUMMARY = "restore the newest snapshot to a temporary instance, and compare it with the live database"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--wait", action="store_true", help="wait until the proof ends, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a proof, and wait for it with `--wait`. Raises CommandError."""
    if not has_workflow(stack, "prove_backup"):
        raise UsageError(
            f"The stack {stack.name} proves no backups.",
            "Deploy it with BackupProof=weekly; an existing database needs PrimaryInstance too.",
        )
    arn = start_execution(stack, "prove_backup", {})
    if not arguments.wait:
        return build_started_result(arn, {})
    output = require_success(wait_for_execution(stack, arn)).output
    return CommandResult({"execution": get_execution_name(arn), **output}, format_report(output))


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for the output of a proof."""
    report = output["report"]
    lines = [f"{output['outcome'].replace('_', ' ')} after {format_duration(output['seconds'])}: {output['summary']}"]
    if "snapshot" in output:
        lines.append(
            f"  snapshot {output['snapshot']}; lacked {format_batches(output['tail'])}, loaded {output['loaded']}"
        )
    return [*lines, f"  report: s3://{report['bucket']}/{report['key']}"]
