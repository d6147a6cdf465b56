"""`sluice replay`: load what the ledger lacks.

Whether anything was delivered to a bucket in a window of time.

The output of a replay.
"""

import argparse
import datetime
from collections.abc import Callable
from typing import Any

from ops.aws import Stack
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.output import CommandResult, format_batches, format_count, format_pairs, format_size
from ops.progress import wait_for_execution
from ops.times import format_time, parse_time
from ops.workflows import require_success, start_execution


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--from", dest="begins", metavar="TIME", type=parse_time, help="of arrival; default: the beginning"
    )
    parser.add_argument("--to", dest="ends", metavar="TIME", type=parse_time, help="of arrival; default: now")
    parser.add_argument(
        "--collection", dest="collections", metavar="NAME", action="append", default=[],
        help="load only writes to it; may be given again",
    )  # fmt: skip
    parser.add_argument("--source", choices=["batches", "archive"], default="batches", help="default: batches")
    parser.add_argument(
        "--mode", choices=["missing", "all"],
        help="what the ledger lacks (default), or all of the window; from the archive it is always all",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only say what would be loaded")
    parser.add_argument("--wait", action="store_true", help="until it has ended, and report")


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Start a replay, and wait for it where that was asked for. Raises Mistake and Failure."""
    given = _build_request(arguments)
    if given["from"] and given["to"] and given["from"] >= given["to"]:
        raise UsageError(f"The window ends ({given['to']}) before it begins ({given['from']}); swap --from and --to.")
    # What the workflow would refuse is refused before anything is started.
    stack.invoke("Plan", {"step": "begin", "name": "asked", "request": given})
    if (given["from"] or given["to"]) and not is_any_object_delivered(stack, given):
        raise UsageError(_explain_empty_window(given))
    arn = start_execution(stack, "replay", given)
    name = arn.rsplit(":", 1)[-1]
    if not (arguments.wait or arguments.dry_run):
        return CommandResult(
            {"execution": name, "arn": arn, "status": "started", "request": given},
            [f"started {name}", f"`sluice executions {name} --wait` waits for it and reports."],
        )
    execution = require_success(wait_for_execution(stack, arn))
    output = {"execution": name, **execution.output}
    if not output["listed"] and (given["from"] or given["to"]):
        raise UsageError(_explain_empty_window(given))
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


def _explain_empty_window(given: dict[str, Any]) -> str:
    window = f"from {given['from'] or 'the beginning'} to {given['to'] or 'now'}"
    return f"Nothing was delivered to the {given['source']} in that window ({window}); nothing to replay."


_BUCKET_OUTPUTS = {"batches": "BatchBucketName", "archive": "ArchiveBucketName"}


# A key has the hour in which its oldest record arrived; the object has what came up to half an hour after that.
KEY_OVERLAP = datetime.timedelta(hours=1)


def is_any_object_delivered(stack: Stack, request: dict[str, Any]) -> bool:
    """Whether there is any object in the window of a replay's request, which is as wide as the replay's own."""
    prefix = f"{request['source']}/"
    after = f"{prefix}{_format_hour(request['from'], KEY_OVERLAP)}/" if request["from"] else ""
    until = f"{prefix}{_format_hour(request['to'])}/~" if request["to"] else f"{prefix}~"
    found = stack.client("s3").list_objects_v2(
        Bucket=stack.output(_BUCKET_OUTPUTS[request["source"]]), Prefix=prefix, StartAfter=after, MaxKeys=1
    )
    return any(one["Key"] <= until for one in found.get("Contents", []))


def _format_hour(moment: str, before: datetime.timedelta = datetime.timedelta()) -> str:
    return f"{datetime.datetime.fromisoformat(moment) - before:%Y/%m/%d/%H}"


CountFormatter = Callable[[int], str]


def get_exit_code(output: dict[str, Any]) -> int:
    """The exit code of it."""
    return EXIT_INCOMPLETE if output["status"] == "incomplete" else EXIT_DONE


def format_report(output: dict[str, Any]) -> list[str]:
    """The lines for it."""
    noun = _format_objects if output["request"]["source"] == "archive" else format_batches
    lines = [_format_headline(output, noun), *(f"  {line}" for line in format_pairs(_format_figures(output, noun)))]
    if output["stopped"]:
        lines.append("  Too many loads met no database, so the rest was left: see `sluice status`, then run it again.")
    if output.get("advice"):
        lines.append(f"  {output['advice']}")
    return lines + [f"  {one['error']}  {one['key']}" for one in output["failures"]]


def _format_objects(count: int) -> str:
    return format_count(count, "object")


def _format_headline(output: dict[str, Any], noun: CountFormatter) -> str:
    if output["status"] == "planned":
        return f"dry run: {noun(output['planned'])} would be loaded; nothing was changed"
    if output["status"] == "complete":
        return "complete: nothing remains"
    return f"incomplete: {noun(max(output['remaining'], output['failed']))} could not be loaded"


def _format_figures(output: dict[str, Any], noun: CountFormatter) -> list[tuple[str, str]]:
    found = [("listed", noun(output["listed"])), ("planned", _format_planned(output, noun))]
    if output["status"] != "planned":
        others = (
            (output["already_loaded"], "loaded before"),
            (output["quarantined"], "set aside in quarantine"),
            (output["failed"], "failed"),
        )
        more = "".join(f", {count} {what}" for count, what in others if count)
        found += [
            ("loaded", noun(output["loaded"]) + more),
            ("writes", f"{output['applied']:,} applied, {output['stale']:,} stale, {output['rejected']:,} rejected"),
            ("remaining", noun(output["remaining"])),
        ]
    return [*found, ("took", f"{output['seconds']} s"), ("report", "s3://{bucket}/{key}".format(**output["report"]))]


def _format_planned(output: dict[str, Any], noun: CountFormatter) -> str:
    planned = f"{noun(output['planned'])}, {format_size(output['bytes'])}"
    if not output["oldest"]:
        return planned
    return f"{planned}, the oldest of {format_time(datetime.datetime.fromisoformat(output['oldest']))}"
