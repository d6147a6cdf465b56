"""The page of costs, made by `sluice cost` from the template, samconfig.toml and the price table."""

import argparse

from ops.commands import cost
from ops.cost.estimate import Estimate
from ops.cost.prices import PriceTable, read_prices
from ops.cost.traffic import RequestFigures, Traffic
from tools.docs.markdown import NOTICE, escape_cell, format_table

HEAD = """# Cost

What `sluice cost` prints, in US dollars a month: on-demand prices of {date} in {region}, without free tiers, support
and taxes. Prices change, and differ by Region: `--price NAME=DOLLARS` replaces one, and AWS's own calculator has the
last word.

- **idle** is due without any request.
- **steady** is due as soon as writes arrive all the time, however few: a batch in each `BufferSeconds`, and custom
  metrics.
- **writes** and **reads** grow with their number. Here they are {writes:,} writes of {item_bytes:,} bytes, one in each
  request, and {reads:,} reads.
"""

_ENVIRONMENTS = {
    "default": "The defaults",
    "small": "A small stack (`--config-env small`)",
    "production": "The production example (`--config-env production`)",
}
_WHAT_IF = (
    "MultiAz=false",
    "DatabaseInstanceClass=db.t4g.small",
    "ReadCache=true",
    "BackupProof=weekly",
    "ApiCacheSize=0.5",
    "BufferSeconds=10",
)


def render_cost() -> str:
    """Return the page."""
    prices, traffic = read_prices({}), Traffic()
    lines = [
        NOTICE.format(source="ops/cost/"),
        "",
        HEAD.format(**vars(traffic), date=prices.date, region=prices.region),
    ]
    for environment, title in _ENVIRONMENTS.items():
        lines += [f"## {title}", "", *_render_estimate(environment, prices, traffic), ""]
    lines += ["## What changes it", "", *_render_changes(prices, traffic), ""]
    lines += ["## What the figures rest on", "", *_render_figures(), ""]
    lines += ["## Price table", "", *_render_prices(prices)]
    return "\n".join(lines).rstrip() + "\n"


def _estimate(environment: str, prices: PriceTable, traffic: Traffic, *parameters: str) -> Estimate:
    arguments = argparse.Namespace(config_env=environment, parameters=list(parameters), stack_name=None, region=None)
    return Estimate(cost.resolve_template(arguments, prices), prices, traffic)


def _render_estimate(environment: str, prices: PriceTable, traffic: Traffic) -> list[str]:
    estimate = _estimate(environment, prices, traffic)
    rows = cost.build_rows(estimate)
    writes, reads = f"{estimate.per_million_writes:.2f}", f"{estimate.per_million_reads:.2f}"
    table = format_table(("component", "idle", "steady", "writes", "reads", "total"), [*rows[:-1], _bold(rows[-1])])
    return [*table, "", f"A million more writes cost {writes}, a million more reads {reads}."]


def _bold(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"**{cell}**" if cell != "-" else cell for cell in row)


def _render_changes(prices: PriceTable, traffic: Traffic) -> list[str]:
    base = _estimate("default", prices, traffic)
    rows = []
    for word in _WHAT_IF:
        changed = _estimate("default", prices, traffic, word)
        rows.append((f"`{word}`", f"{changed.idle - base.idle:+.2f}", f"{changed.total - base.total:+.2f}"))
    packed = _estimate("default", prices, Traffic(lines=100))
    rows.append(("100 writes in one request (NDJSON)", "+0.00", f"{packed.total - base.total:+.2f}"))
    lines = format_table(("change of the defaults", "idle", "total"), rows)
    return [*lines, "", "`sluice cost --what-if NAME=VALUE` shows others."]


def _render_figures() -> list[str]:
    figures = (RequestFigures.__doc__ or "").splitlines()
    start = next(number for number, line in enumerate(figures) if line.strip().startswith("- "))
    values = [(f"`{name}`", f"{value:,}") for name, value in vars(RequestFigures()).items()]
    text = [line.removeprefix("    ") for line in figures[start:]]
    return [*text, "", *format_table(("figure", "value"), values)]


def _render_prices(prices: PriceTable) -> list[str]:
    rows = (
        (
            name,
            f"{entry['price']:.10f}".rstrip("0"),
            entry["unit"],
            escape_cell(entry["source"]),
            "" if entry["checked"] else "no",
        )
        for name, entry in prices.entries.items()
    )
    return [
        'A price with "no" was not compared with a published source on that date; compare it before you rely on it.',
        "",
        *format_table(("name", "dollars", "per", "what", "compared"), rows),
    ]
