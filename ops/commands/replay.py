"""`sluice replay`: load the batches that the ledger lacks."""

import argparse
import datetime
from collections.abc import Callable
from typing import Any

from ops.aws import Stack
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_batches, format_count, format_pairs, format_size
from ops.progress import wait_for_execution
from ops.times import format_time, parse_time
from ops.workflows import build_started_result, get_execution_name, require_success, start_execution

SUMMARY = "load the batches that the ledger lacks"

_BUCKET_OUTPUTS = {"batches": "BatchBucketName", "archive": "ArchiveBucketName"}
# The key of an object has the hour in which its oldest record arrived; its other records arrived up to half an hour
# later.
KEY_OVERLAP = datetime.timedelta(hours=1)

CountFormatter = Callable[[int], str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--from", dest="begins", metavar="TIME", type=parse_time,
        help="start of the window of arrival (default: the beginning)",
    )  # fmt: skip
    parser.add_argument(
        "--to", dest="ends", metavar="TIME", type=parse_time, help="end of the window of arrival (default: now)"
    )
    parser.add_argument(
        "--collection", dest="collections", metavar="NAME", action="append", default=[],
        help="load only writes to this collection (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--source", choices=["batches", "archive"], default="batches", help="bucket to load from (default: batches)"
    )
    parser.add_argument(
        "--mode", choices=["missing", "all"],
        help="load the batches that the ledger lacks (default), or all of the window; the archive is always loaded "
        "completely",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="count the batches and load nothing")
    parser.add_argument("--wait", action="store_true", help="wait until the replay ends, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a replay, and wait for it with `--wait` or `--dry-run`. Raises CommandError."""
    request = _build_request(arguments)
    has_window = request["from"] or request["to"]
    if request["from"] and request["to"] and request["from"] >= request["to"]:
        raise UsageError(
            f"The window ends ({request['to']}) before it begins ({request['from']}).", "Swap --from and --to."
        )
    # Let the plan function check the request before an execution starts.
    stack.invoke("Plan", {"step": "begin", "name": "check", "request": request})
    if has_window and not is_any_object_delivered(stack, request):
        raise UsageError(_explain_empty_window(request))
    arn = start_execution(stack, "replay", request)
    if not (arguments.wait or arguments.dry_run):
        return build_started_result(arn, request)
    execution = require_success(wait_for_execution(stack, arn))
    output = {"execution": get_execution_name(arn), **execution.output}
    if not output["listed"] and has_window:
        raise UsageError(_explain_empty_window(request))
    return CommandResult(output, format_report(output), get_exit_code(output))


def _build_request(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "from": format_time(arguments.begins) if arguments.begins else None,
        "to": format_time(arguments.ends) if arguments.ends else None,
        "collections": arguments.collections,
        "source": arguments.source,
        "mode": arguments.mode or ("all" if arguments.source == "archive" else "missing"),
        "dry_run": arguments.dry_run,
    }


def is_any_object_delivered(stack: Stack, request: dict[str, Any]) -> bool:
    """Whether the source bucket has an object in the window of a replay request, as wide as the replay searches."""
    prefix = f"{request['source']}/"
    after = f"{prefix}{_format_hour(request['from'], KEY_OVERLAP)}/" if request["from"] else ""
    last = f"{prefix}{_format_hour(request['to'])}/~" if request["to"] else f"{prefix}~"
    listing = stack.client("s3").list_objects_v2(
        Bucket=stack.output(_BUCKET_OUTPUTS[request["source"]]), Prefix=prefix, StartAfter=after, MaxKeys=1
    )
    return any(entry["Key"] <= last for entry in listing.get("Contents", []))


def _format_hour(time: str, before: datetime.timedelta = datetime.timedelta()) -> str:
    return f"{datetime.datetime.fromisoformat(time) - before:%Y/%m/%d/%H}"


def _explain_empty_window(request: dict[str, Any]) -> str:
    window = f"from {request['from'] or 'the beginning'} to {request['to'] or 'now'}"
    return f"The {request['source']} bucket has no object in the window ({window}): there is nothing to replay."


def get_exit_code(output: dict[str, Any]) -> int:
    """The exit code for the output of a replay."""
    return EXIT_INCOMPLETE if output["status"] == "incomplete" else EXIT_DONE


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for the output of a replay."""
    count = _format_objects if output["request"]["source"] == "archive" else format_batches
    lines = [_format_headline(output, count), *(f"  {line}" for line in format_pairs(_format_figures(output, count)))]
    if output["stopped"]:
        lines.append(
            "  Stopped early: too many loads found the database unavailable. See `sluice status`, then replay again."
        )
    if output.get("advice"):
        lines.append(f"  {output['advice']}")
    return lines + [f"  {failure['error']}  {failure['key']}" for failure in output["failures"]]


def _format_objects(count: int) -> str:
    return format_count(count, "object")


def _format_headline(output: dict[str, Any], count: CountFormatter) -> str:
    if output["status"] == "planned":
        return f"dry run: {count(output['planned'])} would be loaded; nothing was changed"
    if output["status"] == "complete":
        return "complete: nothing remains"
    return f"incomplete: {count(max(output['remaining'], output['failed']))} could not be loaded"


def _format_figures(output: dict[str, Any], count: CountFormatter) -> list[tuple[str, str]]:
    figures = [("listed", count(output["listed"])), ("planned", _format_planned(output, count))]
    if output["status"] != "planned":
        other_outcomes = (
            (output["already_loaded"], "already loaded"),
            (output["quarantined"], "quarantined"),
            (output["failed"], "failed"),
        )
        others = "".join(f", {number} {outcome}" for number, outcome in other_outcomes if number)
        figures += [
            ("loaded", count(output["loaded"]) + others),
            ("writes", f"{output['applied']:,} applied, {output['stale']:,} stale, {output['rejected']:,} rejected"),
            ("remaining", count(output["remaining"])),
        ]
    report = "s3://{bucket}/{key}".format(**output["report"])
    return [*figures, ("duration", f"{output['seconds']} s"), ("report", report)]


def _format_planned(output: dict[str, Any], count: CountFormatter) -> str:
    planned = f"{count(output['planned'])}, {format_size(output['bytes'])}"
    if not output["oldest"]:
        return planned
    return f"{planned}, oldest from {format_time(datetime.datetime.fromisoformat(output['oldest']))}"
