"""The picture of the rates in docs/performance.md."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from bench.loading.race import Rates
from bench.results import short

FILE = Path(__file__).parents[2] / "docs" / "load.svg"
COLOURS = {"limit": "#9aa5b1", "sluice": "#1f6feb", "executemany": "#e3a008", "row_by_row": "#d1453b"}


def plot(rates: Rates) -> None:
    """Draw the writes per second of every method, a panel for each size; a short run draws nothing."""
    if short():
        return
    sizes = list(next(iter(rates.values())))
    # The same rates draw the same file.
    mpl.rcParams.update({"svg.hashsalt": "load", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = pyplot.subplots(1, len(sizes), figsize=(10, 3.2), sharey=True, layout="constrained")
    width = 0.8 / len(COLOURS)
    for panel, size in zip(panels, sizes, strict=True):
        for number, (method, colour) in enumerate(COLOURS.items()):
            places = [place + number * width for place in range(len(rates))]
            panel.bar(places, [rates[case][size][method] for case in rates], width, color=colour, label=method)
        panel.set_xticks([place + 1.5 * width for place in range(len(rates))], list(rates))
        panel.set_title(f"batches of {int(size):,} writes")
        panel.set_yscale("log")
        panel.grid(axis="y", color="#e5e7eb")
        panel.set_axisbelow(True)
    panels[0].set_ylabel("writes per second (log scale)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS))
    figure.savefig(FILE, metadata={"Date": None})
