"""What a batch meets in the table. Each goes to items of its own, so that every method finds the same conditions."""

import random
from collections.abc import Callable

from bench.loading.batches import TABLE_CREATED_MS, ItemKey, WriteBatch
from bench.loading.database import BenchDatabase

SCENARIOS = ("new", "updated", "mixed", "stale")


OTHER_SCENARIOS = ("late", "scattered")


DAY_MILLISECONDS = 86_400_000  # milliseconds


class ScenarioGenerator:
    """Makes batches. Those of `new`, `updated` and `mixed` are newer than all before; `late` ones are newer than their
    items' rows, but older than what was loaded last, as when a batch comes out of order; `stale` ones lose.

    New items come in the order of their ids, as the API makes them; `scattered` are new ones in no order.
    """

    def __init__(self, world: BenchDatabase) -> None:
        self._world = world
        self._chance = random.Random(1)
        self._now = TABLE_CREATED_MS + 1000 * DAY_MILLISECONDS
        self._late = TABLE_CREATED_MS + 10 * DAY_MILLISECONDS
        third = len(world.items) // 3
        self._for_late, self._for_news = world.items[:third], world.items[third:]

    def build_batch(self, scenario: str, size: int) -> WriteBatch:
        """Make a batch of a case."""
        made: dict[str, Callable[[int], WriteBatch]] = {
            "new": lambda n: self._newer(self._world.generator.generate_items(n), n),
            "updated": lambda n: self._newer(self._some(n), n),
            "mixed": lambda n: self._newer(
                self._among(self._some(n // 2), self._world.generator.generate_items(n - n // 2)), n
            ),
            "scattered": lambda n: self._newer(self._chance.sample(self._world.generator.generate_items(n), n), n),
            "stale": lambda n: self._world.generator.generate_batch(
                self._some(n), n, TABLE_CREATED_MS - 10 * DAY_MILLISECONDS
            ),
            "late": self._out_of_order,
        }
        return made[scenario](size)

    def _some(self, size: int) -> list[ItemKey]:
        return self._chance.sample(self._for_news, size)

    def _among(self, some: list[ItemKey], others: list[ItemKey]) -> list[ItemKey]:
        """Both, mixed by chance, each in the order that it has."""
        of_some = set(self._chance.sample(range(len(some) + len(others)), len(some)))
        ones, more = iter(some), iter(others)
        return [next(ones if place in of_some else more) for place in range(len(some) + len(others))]

    def _newer(self, items: list[ItemKey], size: int) -> WriteBatch:
        self._now += DAY_MILLISECONDS
        return self._world.generator.generate_batch(items, size, self._now)

    def _out_of_order(self, size: int) -> WriteBatch:
        self._late += DAY_MILLISECONDS
        return self._world.generator.generate_batch(self._chance.sample(self._for_late, size), size, self._late)
