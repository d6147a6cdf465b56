"""`make bench`: which cache answers which share of a realistic mix, and what each spares the replica.

The stack is the local one with all of its caches. Each configuration turns some of them off, plays the same mix and
counts on the replica itself. A model plays it at rates that this machine cannot serve.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bench import create_folder
from bench.mix.measurement import Durations, Measurement, MixBenchmark
from bench.mix.plot import plot_mix
from bench.mix.preparation import load_items
from bench.mix.report import print_measured, print_modelled, to_figures, to_measured_figures
from bench.mix.worth import model_rate, price_caches, read_cache_prices, spare_statements
from bench.results import is_short, save_results
from local.demo.source import load_airports
from local.process import LocalError
from local.stack import down, up
from testkit.mix.model import Caches, Shares
from testkit.mix.trace import Mix, Population

RATE, SHORT_RATE = 30.0, 20.0
EXPONENT = 1.0
OTHER_EXPONENTS = (0.8, 1.2)
API_SECONDS, VALKEY_SECONDS = 10, 600
BOTH = "CloudFront + API Gateway"
CONFIGURATIONS = {
    "no caches": Caches(),
    "CloudFront": Caches(cloudfront=True),
    "API Gateway": Caches(api_seconds=API_SECONDS),
    "Valkey": Caches(valkey_seconds=VALKEY_SECONDS),
    BOTH: Caches(cloudfront=True, api_seconds=API_SECONDS),
    "all": Caches(cloudfront=True, api_seconds=API_SECONDS, valkey_seconds=VALKEY_SECONDS),
}
DURATIONS, SHORT_DURATIONS = Durations(600, 15, 75), Durations(30, 2, 4)
PLOT_RATES, OTHER_RATES, SHORT_RATES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), (10.0, 100.0, 1000.0), (10.0,)
MODEL_WARM_SECONDS, SHORT_MODEL_WARM_SECONDS = 700, 10  # longer than any entry lives
MODEL_COUNTED_SECONDS, MODEL_COUNTED_REQUESTS = 60, 20_000  # the longer of both
MODEL_API_SECONDS = (5, 60, 300)


def main() -> None:
    records = {code: dict(airport) for code, airport in load_airports().items()}
    population = Population({code: airport["country"] for code, airport in records.items()})
    prices = read_cache_prices()
    measured = measure_configurations(records, population)
    rate = SHORT_RATE if is_short() else RATE
    dollars = {name: price_caches(CONFIGURATIONS[name.partition(",")[0]], rate, prices) for name in measured}
    print_measured(measured, dollars)
    modelled = model_rates(population)
    for key, shares in modelled.items():
        exponent, modelled_rate = key.split()
        title = f"exponent {exponent}, {modelled_rate} requests a second"
        print_modelled(title, shares, float(modelled_rate), prices)
    print(f"\nA million reads by the function: {1e6 * prices.function_read:.2f} dollars;", end=" ")
    print(f"a million requests with API Gateway's cache: {1e6 * prices.api_cache_request:.2f}")
    save_results("mix", to_measured_figures(measured))
    save_results("mix_model", to_figures(modelled))
    if not is_short():
        plot(measured, modelled)


def measure_configurations(records: dict[str, dict[str, Any]], population: Population) -> dict[str, Measurement]:
    """Measure each configuration on a stack of its own, ."""
    short = is_short()
    mix = Mix(SHORT_RATE if short else RATE, EXPONENT)
    runs = [(name, caches, mix) for name, caches in CONFIGURATIONS.items()]
    if not short:
        runs += [(f"all, exponent {other}", CONFIGURATIONS["all"], Mix(RATE, other)) for other in OTHER_EXPONENTS]
    seconds = {"ApiCacheSeconds": str(API_SECONDS), "CacheSeconds": str(VALKEY_SECONDS)}
    measured = {}
    with create_folder() as temporary:
        folder = temporary / "stack"
        try:
            stack = up(folder, parameter_overrides=seconds)
            load_items(stack, records)
            benchmark = MixBenchmark(stack, population, records)
            for name, caches, each in runs:
                measured[name] = benchmark.measure(caches, each, SHORT_DURATIONS if short else DURATIONS)
                print(f"measured: {name}", flush=True)
        finally:
            with suppress(LocalError):
                down(folder)
    return measured


def model_rates(population: Population) -> dict[str, dict[str, Shares]]:
    """The shares by the model: by exponent and rate, then by configuration, with other times to live too."""
    short = is_short()
    configurations = {
        **CONFIGURATIONS,
        **{f"{BOTH}, {seconds} s": Caches(cloudfront=True, api_seconds=seconds) for seconds in MODEL_API_SECONDS},
    }
    modelled = {}
    for exponent in (EXPONENT, *OTHER_EXPONENTS):
        for rate in SHORT_RATES if short else PLOT_RATES if exponent == EXPONENT else OTHER_RATES:
            warm = SHORT_MODEL_WARM_SECONDS if short else MODEL_WARM_SECONDS
            counted = warm if short else max(MODEL_COUNTED_SECONDS, MODEL_COUNTED_REQUESTS / rate)
            shares = model_rate(list(configurations.values()), Mix(rate, exponent), population, warm, counted)
            modelled[f"{exponent} {rate:g}"] = dict(zip(configurations, shares, strict=True))
    return modelled


def plot(measured: Mapping[str, Measurement], modelled: Mapping[str, Mapping[str, Shares]]) -> None:
    """Draw the configurations of the usual exponent."""
    names = list(CONFIGURATIONS)
    by_rate = {
        name: {rate: 1000 - spare_statements(modelled[f"{EXPONENT} {rate:g}"][name]) for rate in PLOT_RATES}
        for name in names
    }
    plot_mix(
        {name: measured[name].shares for name in names},
        {name: measured[name].statements_per_1000 for name in names},
        by_rate,
        RATE,
    )


if __name__ == "__main__":
    main()
