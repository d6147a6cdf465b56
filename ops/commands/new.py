"""`sluice new resource`: write a resource class from a file of data."""

import argparse
from pathlib import Path

from ops.arguments import add_action_parsers
from ops.aws import REPOSITORY
from ops.data.csv_dialect import QUOTES
from ops.data.items import Field
from ops.data.new_resource import NewResource, ResourceRequest, write_resource
from ops.data.packed_file import DEFAULT_ENCODING
from ops.data.project import Project
from ops.data.source_file import ReadingOptions
from ops.data.transfer_progress import show_transfer
from ops.output import CommandResult, format_count, format_table

SUMMARY = "write a resource class from CSV, JSON Lines or a JSON Schema"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    action = add_action_parsers(
        parser, {"resource": "write src/resources/NAME.py with an example and a test, for review"}
    )
    command = action["resource"]
    command.add_argument("name", metavar="NAME", help="name of the collection, such as blog_entries")
    command.add_argument(
        "--from", dest="source", metavar="FILE", type=Path, required=True,
        help="CSV, JSON Lines, a JSON list (each also as .gz, .bz2, .xz, .zip) or a JSON Schema; all rows are read",
    )  # fmt: skip
    keys = command.add_mutually_exclusive_group()
    keys.add_argument(
        "--key", metavar="COLUMN", default="", help="column that is the id (default: the service chooses ids)"
    )
    keys.add_argument("--natural-key", action="store_true", help="take the first column that can be the id")
    command.add_argument(
        "--index", metavar="COLUMN[,COLUMN]", action="append", default=[],
        help="let lists filter and sort by these columns (may be repeated)",
    )  # fmt: skip
    command.add_argument("--private", action="store_true", help="each item belongs to who wrote it")
    command.add_argument("--writers", metavar="GROUP", default="", help="only this group may write")
    add_file_arguments(command)
    command.add_argument("--force", action="store_true", help="replace the file of the class")


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how a file is read."""
    parser.add_argument(
        "--encoding", metavar="NAME", default=DEFAULT_ENCODING,
        help="encoding of the file (default: UTF-8, or UTF-16 with its mark)",
    )  # fmt: skip
    parser.add_argument("--utc", action="store_true", help="read date-times without a time zone as UTC")
    parser.add_argument(
        "--quotes", choices=QUOTES, default="double",
        help="how CSV has quotation marks in texts: doubled, after a backslash, or as plain characters everywhere",
    )  # fmt: skip


def read_file_arguments(arguments: argparse.Namespace) -> ReadingOptions:
    """What the arguments of `add_file_arguments` say."""
    return ReadingOptions(arguments.encoding, arguments.utc, arguments.quotes)


def choose_stack(_arguments: argparse.Namespace) -> None:
    """The command needs neither a stack nor credentials."""


def run(_stack: object, arguments: argparse.Namespace) -> CommandResult:
    """Write the class. Raises UsageError for a file that cannot be a resource."""
    request = ResourceRequest(
        arguments.name, arguments.source, arguments.key, arguments.natural_key, arguments.private, arguments.writers,
        [[word.strip() for word in text.split(",")] for text in arguments.index],
        read_file_arguments(arguments), arguments.force,
    )  # fmt: skip
    with show_transfer("new resource") as show:
        created = write_resource(Project(REPOSITORY), request, show)
    return CommandResult(_build_document(created), _describe(created))


def _build_document(created: NewResource) -> dict[str, object]:
    return {
        "class": str(created.class_file),
        "test": str(created.test_file) if created.test_file else None,
        "key": created.key or None,
        "rows": created.rows,
        "free_text": created.free_text,
        "fields": [
            {"name": field.name, "source": field.source, "type": field.annotation, "required": field.required}
            for field in created.fields
        ],
    }


def _describe(created: NewResource) -> list[str]:
    rows = [
        (field.name, _describe_type(field), "" if field.name == field.source else f"{field.source!r}")
        for field in created.fields
    ]
    lines = format_table(("field", "type", "in the file"), rows)
    checked = f"; it holds all {format_count(created.rows, 'row')}" if created.rows else ""
    lines += ["", f"wrote {_shorten(created.class_file)}{checked}"]
    if created.test_file:
        lines.append(f"wrote {_shorten(created.test_file)}")
    lines.append(f"ids   {created.key or 'the service chooses them (--key COLUMN, or --natural-key, takes a column)'}")
    if created.free_text:
        lines.append("texts with quotation marks or signs of programs: free_text=True lets them through the firewall")
    lines.append("Review the class, then run `make up`.")
    return lines


def _describe_type(field: Field) -> str:
    return field.annotation if field.required else f"{field.annotation} | None"


def _shorten(path: Path) -> Path:
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
