"""`sluice cost`: estimate what a deployment costs a month, idle and with traffic."""

import argparse
from dataclasses import replace

from ops.cost.estimate import Estimate
from ops.cost.prices import PriceTable, read_prices
from ops.cost.traffic import Traffic
from ops.errors import UsageError
from ops.output import CommandResult, format_table
from ops.samconfig import add_deployment_arguments, parse_parameters, read_deployment
from ops.template import ResolvedTemplate, read_template

SUMMARY = "estimate what a deployment costs a month"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_deployment_arguments(parser)
    default = Traffic()
    parser.add_argument(
        "--what-if", metavar="NAME=VALUE", action="append", default=[],
        help="also show what another value of a parameter would change (may be repeated)",
    )  # fmt: skip
    for option, metavar, value, summary in (
        ("--writes", "COUNT", default.writes, "writes a month"),
        ("--reads", "COUNT", default.reads, "reads a month"),
        ("--item-bytes", "BYTES", default.item_bytes, "size of an item"),
        ("--lines", "COUNT", default.lines, "writes in one request"),
    ):
        parser.add_argument(
            option, metavar=metavar, type=parse_count, default=value, help=f"{summary} (default: {value:,})"
        )
    parser.add_argument(
        "--price", metavar="NAME=DOLLARS", action="append", default=[], dest="prices",
        help="price instead of that of the price table (may be repeated)",
    )  # fmt: skip


def parse_count(text: str) -> int:
    """Parse a count, such as `1000000` or `1,000,000`."""
    count = int(text.replace(",", ""))
    if count < 0:
        raise ValueError
    return count


def choose_stack(_arguments: argparse.Namespace) -> None:
    """The command needs neither a stack nor credentials."""


def run(_stack: object, arguments: argparse.Namespace) -> CommandResult:
    """Estimate the cost. Raises UsageError."""
    prices = read_prices(_parse_prices(arguments.prices))
    if arguments.lines < 1:
        raise UsageError("--lines must be 1 or more.")
    traffic = Traffic(arguments.writes, arguments.reads, arguments.item_bytes, arguments.lines)
    template = resolve_template(arguments, prices)
    estimate = Estimate(template, prices, traffic)
    changes = {}
    for word in arguments.what_if:
        changed = replace(template, values={**template.values, **parse_parameters([word])})
        changes[word] = Estimate(changed, prices, traffic)
    return CommandResult(build_document(estimate, changes, prices), format_estimate(estimate, changes, prices, traffic))


def resolve_template(arguments: argparse.Namespace, prices: PriceTable) -> ResolvedTemplate:
    """The template with the values that the arguments choose, in the Region of the prices. Raises UsageError."""
    deployment = read_deployment(arguments)
    # The web ACL of the edge is due in every Region, whichever stack has it.
    values = {**deployment.parameters, "EdgeAclArn": ""}
    return ResolvedTemplate(read_template(), values, deployment.stack_name, prices.region)


def _parse_prices(words: list[str]) -> dict[str, float]:
    try:
        return {name: float(price) for name, price in parse_parameters(words).items()}
    except ValueError as error:
        raise UsageError(f"A price is not a number: {error}.") from None


def build_document(estimate: Estimate, changes: dict[str, Estimate], prices: PriceTable) -> dict[str, object]:
    """The estimate for `--json`."""
    return {
        "prices": {"date": prices.date, "region": prices.region, "unchecked": prices.list_unchecked()},
        "idle": estimate.idle,
        "steady": estimate.steady,
        "per_million_writes": estimate.per_million_writes,
        "per_million_reads": estimate.per_million_reads,
        "total": estimate.total,
        "components": [{**vars(component), "total": component.total} for component in estimate.components],
        "what_if": {
            word: {"idle": changed.idle - estimate.idle, "total": changed.total - estimate.total}
            for word, changed in changes.items()
        },
    }


def format_estimate(
    estimate: Estimate, changes: dict[str, Estimate], prices: PriceTable, traffic: Traffic
) -> list[str]:
    """The lines for a person."""
    header = ("dollars a month", "idle", "steady", f"{traffic.writes:,} writes", f"{traffic.reads:,} reads", "total")
    lines = format_table(header, build_rows(estimate))
    lines += [
        "",
        f"a million more writes: {estimate.per_million_writes:.2f}",
        f"a million more reads: {estimate.per_million_reads:.2f}",
        f"on-demand prices of {prices.date} in {prices.region}, without free tiers, support and taxes",
    ]
    if changes:
        table = [
            (word, f"{changed.idle - estimate.idle:+.2f}", f"{changed.total - estimate.total:+.2f}")
            for word, changed in changes.items()
        ]
        lines += ["", *format_table(("what if", "idle", "total"), table)]
    return lines


def build_rows(estimate: Estimate) -> list[tuple[str, ...]]:
    """A row for each component, and one for the total."""
    rows: list[tuple[str, float, float, float, float, float]] = [
        (part.name, part.idle, part.steady, part.writes, part.reads, part.total) for part in estimate.components
    ]
    rows.append(("total", estimate.idle, estimate.steady, estimate.writes, estimate.reads, estimate.total))
    return [(name, *map(_format, amounts)) for name, *amounts in rows]


def _format(dollars: float) -> str:
    return f"{dollars:.2f}" if dollars else "-"
