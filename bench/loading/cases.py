"""What a batch meets in the table. Each goes to items of its own, so that every method finds the same conditions."""

import random
from collections.abc import Callable

from bench.loading.records import BIRTH, Batch, Item
from bench.loading.world import World

CASES = ("new", "updated", "mixed", "stale")
OTHER_CASES = ("late", "scattered")
DAY = 86_400_000  # milliseconds


class Cases:
    """Makes batches. Those of `new`, `updated` and `mixed` are newer than all before; `late` ones are newer than their
    items' rows, but older than what was loaded last, as when a batch comes out of order; `stale` ones lose.

    New items come in the order of their ids, as the API makes them; `scattered` are new ones in no order.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(1)
        self._now = BIRTH + 1000 * DAY
        self._late = BIRTH + 10 * DAY
        third = len(world.items) // 3
        self._for_late, self._for_news = world.items[:third], world.items[third:]

    def batch(self, case: str, size: int) -> Batch:
        """Make a batch of a case."""
        made: dict[str, Callable[[int], Batch]] = {
            "new": lambda n: self._newer(self._world.source.items(n), n),
            "updated": lambda n: self._newer(self._some(n), n),
            "mixed": lambda n: self._newer(self._among(self._some(n // 2), self._world.source.items(n - n // 2)), n),
            "scattered": lambda n: self._newer(self._chance.sample(self._world.source.items(n), n), n),
            "stale": lambda n: self._world.source.batch(self._some(n), n, BIRTH - 10 * DAY),
            "late": self._out_of_order,
        }
        return made[case](size)

    def _some(self, size: int) -> list[Item]:
        return self._chance.sample(self._for_news, size)

    def _among(self, some: list[Item], others: list[Item]) -> list[Item]:
        """Both, mixed by chance, each in the order that it has."""
        of_some = set(self._chance.sample(range(len(some) + len(others)), len(some)))
        ones, more = iter(some), iter(others)
        return [next(ones if place in of_some else more) for place in range(len(some) + len(others))]

    def _newer(self, items: list[Item], size: int) -> Batch:
        self._now += DAY
        return self._world.source.batch(items, size, self._now)

    def _out_of_order(self, size: int) -> Batch:
        self._late += DAY
        return self._world.source.batch(self._chance.sample(self._for_late, size), size, self._late)
