"""The plot of the reads by number of replicas, without and with a limit of each replica's processor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

PLOT_FILE = Path(__file__).parents[2] / "docs" / "replicas.svg"
COLOURS = ("#9aa5b1", "#1f6feb")


def plot_rates(rates: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw a panel for each title: bars of the medians, a dot for each round, and what perfect growth would be."""
    # The same rates draw the same file.
    mpl.rcParams.update({"svg.hashsalt": "replicas", "font.size": 9, "axes.spines.top": False})
    mpl.rcParams.update({"axes.spines.right": False})
    figure, panels = pyplot.subplots(1, len(rates), figsize=(8, 3), layout="constrained")
    for panel, colour, (title, figures) in zip(panels, COLOURS, rates.items(), strict=True):
        numbers = [int(number) for number in figures]
        panel.bar(numbers, [each["reads_per_second"] for each in figures.values()], 0.6, color=colour)
        for number, each in zip(numbers, figures.values(), strict=True):
            panel.plot([number] * len(each["rates"]), each["rates"], ".", color="#111827", markersize=3)
        first = figures[str(numbers[0])]["reads_per_second"]
        panel.plot(numbers, [first * number for number in numbers], "--", color="#d1453b", label="n times one replica")
        panel.set_ylim(bottom=0)
        panel.set_xticks(numbers)
        panel.set_xlabel("replicas")
        panel.set_title(title)
    panels[0].set_ylabel("reads per second")
    panels[-1].legend(frameon=False, loc="upper left")
    figure.savefig(PLOT_FILE, metadata={"Date": None})
