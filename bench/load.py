"""`make bench`: how fast batches get into a real primary with its replica, against other ways to write, in one run."""

import tempfile
from contextlib import suppress
from pathlib import Path

from bench.loading.cases import CASES, OTHER_CASES, Cases
from bench.loading.memory import peak
from bench.loading.plot import plot
from bench.loading.race import Race
from bench.loading.world import World
from bench.results import keep, short

METHODS = ("sluice", "row_by_row", "executemany", "limit")
FULL, SHORT = {1000: 9, 10_000: 7, 100_000: 5}, {1000: 3, 10_000: 3}
FULL_STAGES, SHORT_STAGES = {10_000: 5, 100_000: 3}, {1000: 1}
FULL_ROWS, SHORT_ROWS = 1_000_000, 100_000
# Firehose makes no object of more than 128 MB of text; with these writes that is some 260,000.
FULL_MEMORY, SHORT_MEMORY = (100_000, 260_000), (1000, 2600)


def memory(world: World, one: int, largest: int) -> dict[str, float]:
    """The greatest megabytes of a process that loads one batch of a size, ten of it, the largest one."""
    cases = Cases(world)
    files = [world.folder / f"{number}.gz" for number in range(12)]
    for file in files:
        file.write_bytes(cases.batch("updated", largest if file is files[-1] else one).content)
    found = {
        name: peak(world.environment, world.pair.admin, some)
        for name, some in {"one": files[:1], "ten": files[1:11], "largest": files[11:]}.items()
    }
    taken = {"before": found["one"]["before"], **{name: of["peak"] for name, of in found.items()}}
    print("megabytes of memory:", ", ".join(f"{name} {size:.0f}" for name, size in taken.items()), flush=True)
    return {name: round(size, 1) for name, size in taken.items()}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        world = World(Path(folder), SHORT_ROWS if short() else FULL_ROWS)
        try:
            world.start()
            race, sizes = Race(world), SHORT if short() else FULL
            rates = race.rates(CASES, METHODS, sizes)
            keep("load", rates)
            plot(rates)
            keep("load_other", race.rates(OTHER_CASES, ("sluice", "limit"), sizes))
            keep("load_stages", race.stages((*CASES, *OTHER_CASES), SHORT_STAGES if short() else FULL_STAGES))
            keep("load_memory", memory(world, *(SHORT_MEMORY if short() else FULL_MEMORY)))
        finally:
            with suppress(Exception):
                world.pair.stop()


if __name__ == "__main__":
    main()
