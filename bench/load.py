"""`make bench`: how fast batches get into a real primary with its replica, against other ways to write, in one run.

The picture of the rates in docs/explanation/performance.md.
"""

import tempfile
from contextlib import suppress
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from bench.loading.comparison import LoadComparison, Rates
from bench.loading.database import BenchDatabase
from bench.loading.memory import measure_peak_memory
from bench.loading.scenarios import OTHER_SCENARIOS, SCENARIOS, ScenarioGenerator
from bench.results import is_short, save_results

WRITE_METHODS = ("sluice", "row_by_row", "executemany", "limit")


FULL_SIZES, SHORT_SIZES = {1000: 9, 10_000: 7, 100_000: 5}, {1000: 3, 10_000: 3}


FULL_STAGES, SHORT_STAGES = {10_000: 5, 100_000: 3}, {1000: 1}


FULL_ROWS, SHORT_ROWS = 1_000_000, 100_000


# Firehose makes no object of more than 128 MB of text; with these writes that is some 260,000.
FULL_MEMORY, SHORT_MEMORY = (100_000, 260_000), (1000, 2600)


def measure_memory(world: BenchDatabase, one: int, largest: int) -> dict[str, float]:
    """The greatest megabytes of a process that loads one batch of a size, ten of it, the largest one."""
    cases = ScenarioGenerator(world)
    files = [world.folder / f"{number}.gz" for number in range(12)]
    for file in files:
        file.write_bytes(cases.build_batch("updated", largest if file is files[-1] else one).content)
    found = {
        name: measure_peak_memory(world.lambda_environment, world.pair.admin_credentials, some)
        for name, some in {"one": files[:1], "ten": files[1:11], "largest": files[11:]}.items()
    }
    taken = {"before": found["one"]["before"], **{name: of["peak"] for name, of in found.items()}}
    print("megabytes of memory:", ", ".join(f"{name} {size:.0f}" for name, size in taken.items()), flush=True)
    return {name: round(size, 1) for name, size in taken.items()}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        world = BenchDatabase(Path(folder), SHORT_ROWS if is_short() else FULL_ROWS)
        try:
            world.start()
            race, sizes = LoadComparison(world), SHORT_SIZES if is_short() else FULL_SIZES
            rates = race.measure_rates(SCENARIOS, WRITE_METHODS, sizes)
            save_results("load", rates)
            plot_rates(rates)
            save_results("load_other", race.measure_rates(OTHER_SCENARIOS, ("sluice", "limit"), sizes))
            save_results(
                "load_stages",
                race.measure_stages((*SCENARIOS, *OTHER_SCENARIOS), SHORT_STAGES if is_short() else FULL_STAGES),
            )
            save_results("load_memory", measure_memory(world, *(SHORT_MEMORY if is_short() else FULL_MEMORY)))
        finally:
            with suppress(Exception):
                world.pair.stop()


if __name__ == "__main__":
    main()


PLOT_FILE = Path(__file__).parents[2] / "docs" / "load.svg"


COLOURS = {"limit": "#9aa5b1", "sluice": "#1f6feb", "executemany": "#e3a008", "row_by_row": "#d1453b"}


def plot_rates(rates: Rates) -> None:
    """Draw the writes per second of every method, a panel for each size; a short run draws nothing."""
    if is_short():
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
    figure.savefig(PLOT_FILE, metadata={"Date": None})
