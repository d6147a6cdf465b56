"""`make bench`: how fast batches get into a real primary with its replica, compared with other ways to write."""

from contextlib import suppress
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from bench import create_folder
from bench.loading.comparison import LoadComparison, Rates
from bench.loading.database import BenchDatabase
from bench.loading.memory import measure_peak_memory
from bench.loading.scenarios import OTHER_SCENARIOS, SCENARIOS, ScenarioGenerator
from bench.results import is_short, save_results

WRITE_METHODS = ("sluice", "row_by_row", "executemany", "limit")
FULL_SIZES, SHORT_SIZES = {1000: 9, 10_000: 7, 100_000: 5}, {1000: 3, 10_000: 3}
FULL_STAGES, SHORT_STAGES = {10_000: 5, 100_000: 3}, {1000: 1}
FULL_ROWS, SHORT_ROWS = 1_000_000, 100_000
# Firehose makes no object with more than 128 MB of text; with these writes that is about 260,000.
FULL_MEMORY, SHORT_MEMORY = (100_000, 260_000), (1000, 2600)
PLOT_FILE = Path(__file__).parents[1] / "docs" / "load.svg"
COLOURS = {"limit": "#9aa5b1", "sluice": "#1f6feb", "executemany": "#e3a008", "row_by_row": "#d1453b"}


def measure_memory(database: BenchDatabase, usual_size: int, largest_size: int) -> dict[str, float]:
    """The peak megabytes of a process that loads one batch of a usual size, ten of them, or the largest one."""
    scenarios = ScenarioGenerator(database)
    files = [database.folder / f"{number}.gz" for number in range(12)]
    for file in files:
        file.write_bytes(scenarios.build_batch("updated", largest_size if file is files[-1] else usual_size).content)
    runs = {
        name: measure_peak_memory(database.lambda_environment, database.servers.admin_credentials, chosen)
        for name, chosen in {"one": files[:1], "ten": files[1:11], "largest": files[11:]}.items()
    }
    megabytes = {"before": runs["one"]["before"], **{name: run["peak"] for name, run in runs.items()}}
    print("megabytes of memory:", ", ".join(f"{name} {size:.0f}" for name, size in megabytes.items()), flush=True)
    return {name: round(size, 1) for name, size in megabytes.items()}


def plot_rates(rates: Rates) -> None:
    """Draw the writes per second of every method, a panel per size. A short run draws nothing."""
    if is_short():
        return
    sizes = list(next(iter(rates.values())))
    # The same rates draw the same file.
    mpl.rcParams.update({"svg.hashsalt": "load", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = pyplot.subplots(1, len(sizes), figsize=(10, 3.2), sharey=True, layout="constrained")
    width = 0.8 / len(COLOURS)
    for panel, size in zip(panels, sizes, strict=True):
        for number, (method, colour) in enumerate(COLOURS.items()):
            positions = [position + number * width for position in range(len(rates))]
            panel.bar(positions, [rates[case][size][method] for case in rates], width, color=colour, label=method)
        panel.set_xticks([position + 1.5 * width for position in range(len(rates))], list(rates))
        panel.set_title(f"batches of {int(size):,} writes")
        panel.set_yscale("log")
        panel.grid(axis="y", color="#e5e7eb")
        panel.set_axisbelow(True)
    panels[0].set_ylabel("writes per second (log scale)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS))
    figure.savefig(PLOT_FILE, metadata={"Date": None})


def main() -> None:
    short = is_short()
    with create_folder() as folder:
        database = BenchDatabase(folder, SHORT_ROWS if short else FULL_ROWS)
        try:
            database.start()
            comparison, sizes = LoadComparison(database), SHORT_SIZES if short else FULL_SIZES
            rates = comparison.measure_rates(SCENARIOS, WRITE_METHODS, sizes)
            save_results("load", rates)
            plot_rates(rates)
            save_results("load_other", comparison.measure_rates(OTHER_SCENARIOS, ("sluice", "limit"), sizes))
            stage_sizes = SHORT_STAGES if short else FULL_STAGES
            save_results("load_stages", comparison.measure_stages((*SCENARIOS, *OTHER_SCENARIOS), stage_sizes))
            save_results("load_memory", measure_memory(database, *(SHORT_MEMORY if short else FULL_MEMORY)))
        finally:
            with suppress(Exception):
                database.servers.stop()


if __name__ == "__main__":
    main()
