"""Scenarios: what the writes of a batch meet in the table.

Each scenario has items and versions of its own, so that every method meets the same conditions.
"""

import random
from collections.abc import Callable

from bench.loading.batches import TABLE_CREATED_MS, ItemKey, WriteBatch
from bench.loading.database import BenchDatabase

SCENARIOS = ("new", "updated", "mixed", "stale")
OTHER_SCENARIOS = ("late", "scattered")
DAY_MILLISECONDS = 86_400_000


class ScenarioGenerator:
    """Generates the batches of the scenarios.

    - `new`: new items in the order of their ids, as the API creates them
    - `updated`: newer writes to existing items
    - `mixed`: half new items, half existing ones
    - `scattered`: new items in random order
    - `stale`: older writes than the rows: all of them lose
    - `late`: newer than the rows, but older than the last load, as when a batch arrives out of order
    """

    def __init__(self, database: BenchDatabase) -> None:
        self._database = database
        self._chance = random.Random(1)
        self._now_ms = TABLE_CREATED_MS + 1000 * DAY_MILLISECONDS
        self._late_ms = TABLE_CREATED_MS + 10 * DAY_MILLISECONDS
        third = len(database.items) // 3
        self._late_items, self._updated_items = database.items[:third], database.items[third:]

    def build_batch(self, scenario: str, size: int) -> WriteBatch:
        """Build a batch of `size` writes for a scenario."""
        generator = self._database.generator
        builders: dict[str, Callable[[int], WriteBatch]] = {
            "new": lambda n: self._build_newer(generator.generate_items(n), n),
            "updated": lambda n: self._build_newer(self._sample_items(n), n),
            "mixed": lambda n: self._build_newer(
                self._shuffle_together(self._sample_items(n // 2), generator.generate_items(n - n // 2)), n
            ),
            "scattered": lambda n: self._build_newer(self._chance.sample(generator.generate_items(n), n), n),
            "stale": lambda n: generator.generate_batch(
                self._sample_items(n), n, TABLE_CREATED_MS - 10 * DAY_MILLISECONDS
            ),
            "late": self._build_late,
        }
        return builders[scenario](size)

    def _sample_items(self, size: int) -> list[ItemKey]:
        return self._chance.sample(self._updated_items, size)

    def _shuffle_together(self, some: list[ItemKey], others: list[ItemKey]) -> list[ItemKey]:
        """Both lists in one, mixed at random; each list keeps its order."""
        total = len(some) + len(others)
        positions_of_some = set(self._chance.sample(range(total), len(some)))
        next_of_some, next_of_others = iter(some), iter(others)
        return [next(next_of_some if position in positions_of_some else next_of_others) for position in range(total)]

    def _build_newer(self, items: list[ItemKey], size: int) -> WriteBatch:
        self._now_ms += DAY_MILLISECONDS
        return self._database.generator.generate_batch(items, size, self._now_ms)

    def _build_late(self, size: int) -> WriteBatch:
        self._late_ms += DAY_MILLISECONDS
        return self._database.generator.generate_batch(self._chance.sample(self._late_items, size), size, self._late_ms)
