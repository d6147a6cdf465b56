"""The plot of the mix: who answered in each configuration, and what the replica got at other rates."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from testkit.mix.model import LAYERS, Shares

PLOT_FILE = Path(__file__).parents[2] / "docs" / "mix.svg"
COLOURS = {"CloudFront": "#7c5cbf", "API Gateway": "#1f6feb", "Valkey": "#2f9e6e", "replica": "#d1453b"}
LINE_COLOURS = ("#9aa5b1", "#7c5cbf", "#1f6feb", "#2f9e6e", "#111827", "#e3a008")
LABELLED_PERCENT = 5
LABEL_GAP = 62  # statements between the labels of two lines


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
    figure, (bars, lines) = pyplot.subplots(1, 2, figsize=(10, 3.8), width_ratios=(5, 4), layout="constrained")
    _draw_bars(bars, measured, statements)
    _draw_lines(lines, modelled, statements, measured_rate)
    figure.savefig(PLOT_FILE, metadata={"Date": None})


def _draw_bars(axes: Axes, measured: Mapping[str, Shares], statements: Mapping[str, float]) -> None:
    names = list(measured)
    positions, left = list(range(len(names))), [0.0] * len(names)
    for layer in LAYERS:
        widths = [100 * measured[name].layers[layer] for name in names]
        if any(widths):
            axes.barh(positions, widths, left=left, color=COLOURS[layer], label=layer, height=0.6)
        for position, start, width in zip(positions, left, widths, strict=True):
            if width >= LABELLED_PERCENT:
                axes.text(start + width / 2, position, f"{width:.0f}%", ha="center", va="center", color="white")
        left = [start + width for start, width in zip(left, widths, strict=True)]
    copies = [100 * measured[name].copies for name in names]
    below = [position + 0.39 for position in positions]
    axes.barh(below, copies, color=COLOURS["CloudFront"], label="CloudFront's copy, after a 304", height=0.12)
    for position, name in zip(positions, names, strict=True):
        axes.text(101, position, f"{statements[name]:,.0f}", va="center")
    axes.text(101, -0.7, "statements of\n1,000 reads", fontsize=8)
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.spines["bottom"].set_bounds(0, 100)
    axes.set_xlabel("share of the reads that a layer answered, %")
    axes.legend(loc="lower center", bbox_to_anchor=(0.36, 1.1), ncols=len(LAYERS) + 1, frameon=False, columnspacing=1)


def _draw_lines(
    axes: Axes, modelled: Mapping[str, Mapping[float, float]], statements: Mapping[str, float], measured_rate: float
) -> None:
    rates = list(next(iter(modelled.values())))
    for colour, (name, by_rate) in zip(LINE_COLOURS, modelled.items(), strict=False):
        axes.plot(rates, list(by_rate.values()), color=colour)
        axes.plot(measured_rate, statements[name], "o", color=colour, markersize=5)
    ends = {name: by_rate[rates[-1]] for name, by_rate in modelled.items()}
    for height, label, colour in _place_labels(ends):
        axes.text(rates[-1] * 1.12, height, label, va="center", color=colour)
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:,.0f}" for rate in rates])
    axes.minorticks_off()
    axes.set_xlim(rates[0], rates[-1])
    axes.set_ylim(0, 1050)
    axes.grid(axis="y", color="#e5e7eb")
    axes.set_xlabel("requests per second (lines: model; points: measured)")
    axes.set_ylabel("statements of 1,000 reads")


def _place_labels(ends: Mapping[str, float]) -> list[tuple[float, str, str]]:
    """Height, text and colour of the label of each line, from the top down. Lines with the same end share a label."""
    colours = dict(zip(ends, LINE_COLOURS, strict=False))
    labels: list[tuple[float, str, str]] = []
    for name, end in sorted(ends.items(), key=lambda entry: -entry[1]):
        if labels and end == ends[labels[-1][1].rpartition(", ")[2]]:
            labels[-1] = (labels[-1][0], f"{labels[-1][1]}, {name}", colours[name])
        else:
            labels.append((min(end, labels[-1][0] - LABEL_GAP) if labels else end, name, colours[name]))
    return labels
