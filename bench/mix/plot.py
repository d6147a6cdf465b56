"""The plot of the mix: who answered in each configuration, and what the replica got at other rates."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.mix.model import LAYERS, Shares

PLOT_FILE = Path(__file__).parents[2] / "docs" / "mix.svg"
COLOURS = {"CloudFront": "#7c5cbf", "API Gateway": "#1f6feb", "Valkey": "#2f9e6e", "replica": "#d1453b"}
LINE_COLOURS = ("#9aa5b1", "#7c5cbf", "#1f6feb", "#2f9e6e", "#111827", "#e3a008")


def plot_mix(
    measured: Mapping[str, Shares],
    statements: Mapping[str, float],
    modelled: Mapping[str, Mapping[float, float]],
    measured_rate: float,
) -> None:
    """Draw the measured shares, and the statements of 1,000 reads by rate: lines of the model, measured points.

    `modelled` has the statements of 1,000 reads by configuration and rate.
    """
    # The same figures draw the same file.
    mpl.rcParams.update({"svg.hashsalt": "mix", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (bars, lines) = pyplot.subplots(1, 2, figsize=(10, 3.6), width_ratios=(3, 2), layout="constrained")
    _draw_bars(bars, measured, statements)
    _draw_lines(lines, modelled, statements, measured_rate)
    figure.savefig(PLOT_FILE, metadata={"Date": None})


def _draw_bars(axes: Axes, measured: Mapping[str, Shares], statements: Mapping[str, float]) -> None:
    names = list(measured)
    left: Sequence[float] = [0.0] * len(names)
    for layer in LAYERS:
        widths = [100 * measured[name].layers[layer] for name in names]
        if any(widths):
            axes.barh(names, widths, left=left, color=COLOURS[layer], label=layer, height=0.65)
            for position, (start, width) in enumerate(zip(left, widths, strict=True)):
                if width >= 5:
                    axes.text(start + width / 2, position, f"{width:.0f}%", ha="center", va="center", color="white")
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for position, name in enumerate(names):
        axes.text(101, position, f"{statements[name]:.0f}", va="center")
    axes.text(101, -0.75, "statements of\n1,000 reads", va="bottom", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.spines["bottom"].set_bounds(0, 100)
    axes.set_xlabel("share of the reads that a layer answered, %")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.06), ncols=len(LAYERS), frameon=False)


def _draw_lines(
    axes: Axes, modelled: Mapping[str, Mapping[float, float]], statements: Mapping[str, float], measured_rate: float
) -> None:
    for colour, (name, by_rate) in zip(LINE_COLOURS, modelled.items(), strict=False):
        axes.plot(list(by_rate), list(by_rate.values()), color=colour, label=name)
        axes.plot(measured_rate, statements[name], "o", color=colour, markersize=5)
    axes.set_xscale("log")
    axes.set_ylim(0, 1050)
    axes.grid(axis="y", color="#e5e7eb")
    axes.set_xlabel("requests per second (model; points: measured)")
    axes.set_ylabel("statements of 1,000 reads")
    axes.legend(frameon=False, fontsize=8)
