"""`sluice restore`: make a new primary from a backup or a replica, switch over to it, replay, replace the replicas."""

import argparse
from typing import Any

from ops.arguments import add_confirmation_argument
from ops.aws import Stack
from ops.cost.prices import PriceTable, read_prices
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_batches, require_confirmation
from ops.progress import wait_for_execution
from ops.times import format_duration, format_time, parse_time
from ops.workflows import build_started_result, get_execution_name, has_workflow, require_success, start_execution

SUMMARY = "make a new primary from a backup or a replica, switch over to it, replay, replace the replicas"

HOURS_PER_MONTH = 730


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--latest", action="store_true", help="restore the latest moment that RDS has (the default)")
    source.add_argument("--to", metavar="TIME", type=parse_time, help="restore the state of this time")
    source.add_argument("--snapshot", metavar="ID", help="restore this snapshot")
    source.add_argument("--promote", metavar="REPLICA", help="make this replica the primary, such as replica-1")
    parser.add_argument(
        "--continue", dest="stamp", metavar="STAMP", help="continue the restore with this stamp, from the same source"
    )
    parser.add_argument(
        "--delete-old-replicas",
        action="store_true",
        help="delete the replaced replicas at the end (default: keep)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan; change nothing")
    parser.add_argument("--wait", action="store_true", help="wait until the restore ends, and report")
    add_confirmation_argument(parser)


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a restore, and wait for it with `--wait`; or print its plan. Raises CommandError."""
    if not has_workflow(stack, "restore"):
        raise UsageError(
            f"The stack {stack.name} has no restore workflow.",
            "It needs ProvisionDatabase=true, or PrimaryInstance with the RDS instance of the existing primary.",
        )
    request = {
        "to": format_time(arguments.to) if arguments.to else None,
        "snapshot": arguments.snapshot,
        "promote": arguments.promote,
        "stamp": arguments.stamp,
        "delete_old_replicas": arguments.delete_old_replicas,
        "dry_run": arguments.dry_run,
    }
    if arguments.dry_run:
        execution = require_success(wait_for_execution(stack, start_execution(stack, "restore", request)))
        return CommandResult({"dry_run": True, **execution.output}, format_plan(execution.output["plan"]))
    require_confirmation(stack.name, f"replaces the primary and the replicas of {stack.name}", arguments.yes)
    arn = start_execution(stack, "restore", request)
    if not arguments.wait:
        return build_started_result(arn, request)
    output = require_success(wait_for_execution(stack, arn)).output
    exit_code = EXIT_DONE if output["status"] == "complete" else EXIT_INCOMPLETE
    return CommandResult({"execution": get_execution_name(arn), **output}, format_report(output), exit_code)


def format_plan(plan: dict[str, Any]) -> list[str]:
    """The lines for the plan of a restore."""
    return [
        "dry run: nothing was changed; a restore would do this",
        f"  {plan['summary']}",
        *(
            f"  {replica['name']}: {replica['identifier']} becomes {replica['old']}, and is created again"
            for replica in plan["replicas"]
        ),
        *(f"  notice: {notice}" for notice in plan["notices"]),
    ]


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for the output of a restore."""
    if output["status"] == "planned":
        return format_plan(output["plan"])
    headline = {"complete": "restored", "needs_attention": "restored, but it needs attention"}[output["status"]]
    loaded, prices = output["loaded"], read_prices({})
    return [
        f"{headline} in {format_duration(output['seconds'])}{_describe_beginning(output)}",
        f"  {output['restored']}",
        "  none missing" if loaded is None else f"  {format_batches(loaded)} loaded since it began, none missing",
        f"  {output['database']['summary']}",
        *(f"  notice: {notice}" for notice in output["notices"]),
        *(f"  left: {_describe_leftover(instance, prices)}" for instance in output["leftovers"]),
        f"  report     s3://{output['report']['bucket']}/{output['report']['key']}",
    ]


def _describe_beginning(output: dict[str, Any]) -> str:
    return f", continued; it began at {output['began']}" if output.get("is_continued") else ""


def _describe_leftover(instance: dict[str, Any], prices: PriceTable) -> str:
    copies = 2 if instance["is_multi_az"] else 1
    text = f"{instance['identifier']} ({instance['class']}, {instance['storage']} GiB)"
    if instance["class"] not in prices.entries:
        return f"{text}, which costs money until it is deleted"
    dollars = prices.get(instance["class"]) * HOURS_PER_MONTH + prices.get("database storage") * instance["storage"]
    return f"{text}, about ${copies * dollars:,.0f} a month in {prices.region} until it is deleted"
