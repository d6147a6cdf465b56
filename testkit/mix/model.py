"""A model of the three caches and the replica, which plays a trace in no time.

It says what the caches would answer at rates that this machine cannot serve, and what the read cache has after hours
of traffic. The benchmark compares it with the measurement.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from testkit.mix.trace import Population, Step

Layer = Literal["CloudFront", "API Gateway", "Valkey", "replica"]
LAYERS: tuple[Layer, ...] = ("CloudFront", "API Gateway", "Valkey", "replica")
PAGE_LIMIT = 20
EPOCH_TRUST_SECONDS = 1.0  # as in sluice.cache.reader
# From its acceptance until the replica has a write, with the local stack's buffers.
ARRIVAL_SECONDS = 4.0


@dataclass(frozen=True)
class Caches:
    """A configuration: seconds that API Gateway and Valkey keep an entry, 0 without that cache."""

    cloudfront: bool = False
    api_seconds: int = 0
    valkey_seconds: int = 0


@dataclass
class Answer:
    """The last layer that was asked, and whether CloudFront sent its own copy after the origin's 304."""

    layer: Layer
    from_copy: bool = False


class CacheModel:
    """`function_seconds` is how long a read keeps the function's environment, `copies` how many CloudFront keeps.

    A request takes the first environment that is free. Each environment asks the replica once a second which entries
    of the read cache are valid, instead of asking the cache.
    """

    def __init__(
        self, caches: Caches, population: Population, *, function_seconds: float, copies: int = 1_000_000
    ) -> None:
        self._caches, self._function_seconds, self._max_copies = caches, function_seconds, copies
        self._lists: dict[str, list[str]] = {}
        for country, page in population.list_pages(PAGE_LIMIT).items():
            for item in page:
                self._lists.setdefault(item, []).append(country)
        self._versions: Counter[str] = Counter()
        self._pending: deque[Step] = deque()
        self._copies: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._tags: dict[tuple[int, str], int] = {}
        self._gateway: dict[tuple[str, int | None], tuple[float, int]] = {}
        self._environments: list[Environment] = []
        self.valkey: dict[str, float] = {}
        """When the entry of each item expires."""

    def play(self, step: Step) -> Answer | None:
        """The answer to a read, None for a write."""
        while self._pending and self._pending[0].at + ARRIVAL_SECONDS <= step.at:
            self._apply(self._pending.popleft().target)
        if step.kind == "write":
            self._pending.append(step)
            return None
        if step.kind == "own":
            return Answer(self._read_item(step))
        key = (step.user, step.target)
        copy = self._copies.get(key) if self._caches.cloudfront else None
        sent_tag = copy if copy is not None else self._tags.get(key) if step.is_conditional else None
        layer, version = self._ask_gateway(step, sent_tag)
        if self._caches.cloudfront:
            self._copies[key] = version
            self._copies.move_to_end(key)
            if len(self._copies) > self._max_copies:
                self._copies.popitem(last=False)
        self._tags[key] = version
        return Answer(layer, copy is not None and copy == version)

    def _apply(self, item: str) -> None:
        for target in (item, *self._lists.get(item, ())):
            self._versions[target] += 1
        self.valkey.pop(item, None)

    def _ask_gateway(self, step: Step, sent_tag: int | None) -> tuple[Layer, int]:
        key = (step.target, sent_tag)
        expires_at, version = self._gateway.get(key, (0.0, 0))
        if expires_at > step.at:
            return "API Gateway", version
        layer = self._read_list(step) if step.kind == "list" else self._read_item(step)
        version = self._versions[step.target]
        if self._caches.api_seconds:
            self._gateway[key] = (step.at + self._caches.api_seconds, version)
        return layer, version

    def _read_list(self, step: Step) -> Layer:
        self._occupy_environment(step.at)
        return "replica"

    def _read_item(self, step: Step) -> Layer:
        if not self._caches.valkey_seconds:
            return "replica"
        environment = self._occupy_environment(step.at)
        if environment.trusts_until > step.at and self.valkey.get(step.target, 0.0) > step.at:
            return "Valkey"
        environment.trusts_until = step.at + EPOCH_TRUST_SECONDS
        self.valkey[step.target] = step.at + self._caches.valkey_seconds
        return "replica"

    def _occupy_environment(self, now: float) -> "Environment":
        environment = next((each for each in self._environments if each.free_at <= now), None)
        if environment is None:
            environment = Environment()
            self._environments.append(environment)
        environment.free_at = now + self._function_seconds
        return environment


@dataclass
class Environment:
    """A warm function: when its request ends, and until when it trusts the entries of the read cache."""

    free_at: float = 0.0
    trusts_until: float = 0.0


@dataclass
class Shares:
    """How many reads each layer answered; `copies` of them with CloudFront's own copy."""

    reads: int
    layers: dict[str, float]
    copies: float
    """Shares of the reads, 0 to 1."""


def count_shares(answers: Iterable[Answer]) -> Shares:
    layers: Counter[str] = Counter()
    copies = 0
    for answer in answers:
        layers[answer.layer] += 1
        copies += answer.from_copy
    reads = layers.total()
    return Shares(reads, {layer: layers[layer] / max(1, reads) for layer in LAYERS}, copies / max(1, reads))
