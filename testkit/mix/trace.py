"""The mix of requests: who asks for what, and when. The load and the model play the same trace."""

import itertools
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["item", "list", "own", "write"]

WRITE_SHARE = 0.05
LIST_SHARE, OWN_SHARE = 0.12, 0.03  # of the reads
REQUESTS_PER_USER = 0.5  # a second
OWN_DELAY_SECONDS = 8.0  # from a write to the read of it, by when it has usually arrived


@dataclass(frozen=True)
class Mix:
    """Requests per second, and the exponent of Zipf's law: the item of rank k is read in proportion to k^-exponent."""

    rate: float
    exponent: float

    @property
    def users(self) -> int:
        return max(2, round(self.rate * REQUESTS_PER_USER**-1))


@dataclass(frozen=True, slots=True)
class Step:
    """One request. `target` is an item, or the country of a list. `own` is a read of a write by its writer
    (`?version=`), and `write_number` the number of that write, or of this one."""

    at: float
    user: int
    kind: Kind
    target: str
    write_number: int = 0

    @property
    def is_conditional(self) -> bool:
        """Whether the user keeps ETags and sends If-None-Match: every second one does."""
        return self.user % 2 == 0


class Population:
    """Items with their country, in the order of their popularity, which is random."""

    def __init__(self, countries: dict[str, str], seed: int = 1) -> None:
        self.countries = countries
        self.items: Sequence[str] = random.Random(seed).sample(sorted(countries), len(countries))

    def list_pages(self, limit: int) -> dict[str, list[str]]:
        """The items on the first page of each country's list."""
        pages: dict[str, list[str]] = {}
        for item in sorted(self.countries):
            page = pages.setdefault(self.countries[item], [])
            if len(page) < limit:
                page.append(item)
        return pages


def generate_trace(mix: Mix, population: Population, seed: int) -> Iterator[Step]:
    """Requests without an end, at random moments (Poisson).

    The item of a write, and the country of a list, are chosen like the items that are read.
    """
    chance = random.Random(seed)
    weights = list(itertools.accumulate(rank**-mix.exponent for rank in range(1, len(population.items) + 1)))
    own_reads: deque[Step] = deque()
    now, writes = 0.0, 0
    while True:
        now += chance.expovariate(mix.rate)
        [item] = chance.choices(population.items, cum_weights=weights)
        user, sort = chance.randrange(mix.users), chance.random()
        if sort < WRITE_SHARE:
            writes += 1
            yield Step(now, user, "write", item, writes)
            own_reads.append(Step(now + OWN_DELAY_SECONDS, user, "own", item, writes))
            continue
        sort = (sort - WRITE_SHARE) / (1 - WRITE_SHARE)
        if sort < OWN_SHARE and own_reads and own_reads[0].at <= now:
            own = own_reads.popleft()
            yield Step(now, own.user, "own", own.target, own.write_number)
        elif sort < OWN_SHARE + LIST_SHARE:
            yield Step(now, user, "list", population.countries[item])
        else:
            yield Step(now, user, "item", item)
