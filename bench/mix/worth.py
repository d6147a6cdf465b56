"""What the caches would answer at other rates by the model, and what that is worth at the prices of `sluice cost`."""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ops.commands import cost
from ops.cost.estimate import Estimate
from ops.cost.prices import PriceTable, read_prices
from ops.cost.traffic import SECONDS_PER_MONTH, RequestFigures, Traffic
from testkit.mix.model import Answer, CacheModel, Caches, Shares, count_shares
from testkit.mix.trace import WRITE_SHARE, Mix, Population, generate_trace

# Of the 1,750 bytes of log of a read, those of the function and its platform: the API's own line remains.
FUNCTION_LOG_BYTES = 1_300
GIGABYTE = 1e9


def model_rate(
    caches: Sequence[Caches], mix: Mix, population: Population, warm_seconds: float, counted_seconds: float
) -> list[Shares]:
    """The shares of the reads by the model for each configuration, after traffic of `warm_seconds`."""
    seconds = RequestFigures().read_seconds
    models = [CacheModel(each, population, function_seconds=seconds) for each in caches]
    answers: list[list[Answer]] = [[] for _ in models]
    whole = warm_seconds + counted_seconds
    for step in itertools.takewhile(lambda step: step.at < whole, generate_trace(mix, population, seed=1)):
        for model, counted in zip(models, answers, strict=True):
            answer = model.play(step)
            if answer and step.at >= warm_seconds:
                counted.append(answer)
    return [count_shares(counted) for counted in answers]


@dataclass(frozen=True)
class Prices:
    """Dollars: a month of a cache, and a read that reaches the function, with its log lines.

    `api_cache_request` is due for each request with API Gateway's cache on: CloudFront's function for its key.
    """

    api_cache: float
    api_cache_request: float
    valkey: float
    function_read: float


def read_cache_prices() -> Prices:
    """The prices of the smallest caches, by `sluice cost`."""
    table, figures = read_prices({}), RequestFigures()
    base, api, valkey = (_estimate(table, *words) for words in ((), ("ApiCacheSize=0.5",), ("ReadCache=true",)))
    second = table.get("lambda arm64") * figures.function_gigabytes
    function = table.get("lambda request") + figures.read_seconds * second
    return Prices(
        api.idle - base.idle,
        (api.per_million_reads - base.per_million_reads) / 1e6,
        valkey.idle - base.idle,
        function + FUNCTION_LOG_BYTES / GIGABYTE * table.get("log"),
    )


def _estimate(table: PriceTable, *parameters: str) -> Estimate:
    arguments = argparse.Namespace(config_env="default", parameters=list(parameters), stack_name=None, region=None)
    return Estimate(cost.resolve_template(arguments, table), table, Traffic())


def price_caches(caches: Caches, rate: float, prices: Prices) -> float:
    """Dollars a month of these caches. CloudFront's has no price of its own."""
    requests = rate * SECONDS_PER_MONTH
    api = prices.api_cache + requests * prices.api_cache_request
    return api * bool(caches.api_seconds) + prices.valkey * bool(caches.valkey_seconds)


def spare_dollars(shares: Shares, rate: float, prices: Prices) -> float:
    """Dollars a month that are not due for the function, because a cache before it answered."""
    before_function = shares.layers["CloudFront"] + shares.layers["API Gateway"]
    return rate * (1 - WRITE_SHARE) * SECONDS_PER_MONTH * before_function * prices.function_read


def spare_statements(shares: Shares) -> float:
    """Statements of 1,000 reads that the replica is spared."""
    return 1000 * (1 - shares.layers["replica"])
