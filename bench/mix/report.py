"""The tables that the benchmark prints, and the figures that it saves."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.mix.measurement import Measurement
from bench.mix.worth import Prices, spare_dollars, spare_statements
from ops.output import format_table
from testkit.mix.model import LAYERS, Shares

MEASURED_HEADER = (
    *("measured", "reads", *LAYERS, "copies", "by the model", "statements", "processor"),
    *("median", "p99", "oldest", "too old", "older than asked", "425", "dollars"),
)
MODELLED_HEADER = ("by the model", *LAYERS, "copies", "statements spared", "dollars spared")


def print_measured(measured: Mapping[str, Measurement], dollars: Mapping[str, float]) -> None:
    """Print a line for each configuration. Statements and milliseconds of the replica's processor are of 1,000 reads;
    `copies` are reads that CloudFront answered with its own copy after a 304."""
    rows = [
        (
            *(name, f"{each.shares.reads:,}", *_format_shares(each.shares), format_percent(each.shares.copies)),
            " / ".join((*_format_shares(each.modelled), format_percent(each.modelled.copies))),
            *(f"{each.statements_per_1000:,.0f}", f"{each.processor_ms_per_1000:.0f} ms"),
            *(f"{each.median_ms:.1f} ms", f"{each.p99_ms:.1f} ms", f"{each.oldest_seconds:.1f} s"),
            *(str(each.beyond_bound), str(each.older_than_asked), str(each.early), f"{dollars[name]:.2f}"),
        )
        for name, each in measured.items()
    ]
    print(*format_table(MEASURED_HEADER, rows), sep="\n", flush=True)


def print_modelled(title: str, shares: Mapping[str, Shares], rate: float, prices: Prices) -> None:
    """Print a line for each configuration at a rate of requests."""
    rows = [
        (
            *(name, *_format_shares(each), format_percent(each.copies)),
            *(f"{spare_statements(each):,.0f} of 1,000", f"{spare_dollars(each, rate, prices):.2f} a month"),
        )
        for name, each in shares.items()
    ]
    print("", title, *format_table(MODELLED_HEADER, rows), sep="\n", flush=True)


def _format_shares(shares: Shares) -> list[str]:
    return [format_percent(shares.layers[layer]) for layer in LAYERS]


def format_percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def round_figures(figures: Any) -> Any:
    """The figures with four decimals, for the file of results."""
    if isinstance(figures, dict):
        return {name: round_figures(each) for name, each in figures.items()}
    return round(figures, 4) if isinstance(figures, float) else figures


def to_figures(shares: Mapping[str, Mapping[str, Shares]]) -> dict[str, Any]:
    """The shares by rate and configuration."""
    return {
        rate: {name: round_figures({**each.layers, "copies": each.copies}) for name, each in by_configuration.items()}
        for rate, by_configuration in shares.items()
    }


def to_measured_figures(measured: Mapping[str, Measurement]) -> dict[str, Any]:
    """The measurements by configuration."""
    return {name: round_figures(asdict(each)) for name, each in measured.items()}
