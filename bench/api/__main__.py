"""`make bench`: the API's handlers, warm and from a cold start, against the same work done with two frameworks."""

from bench.api import timing as cold
from bench.api import timing as warm
from bench.api.cases import CASES, CONTENDERS, FUNCTIONS
from bench.results import is_short, save_results

COLD_STARTS, SHORT_COLD_STARTS = 15, 1
TURNS, SHORT_TURNS = 40, 1


def main() -> None:
    turns = SHORT_TURNS if is_short() else TURNS
    imports, firsts, parts = cold.measure_cold_starts(SHORT_COLD_STARTS if is_short() else COLD_STARTS)
    warm_us = warm.measure_warm_calls(turns, "replace_client", tuple(CASES))
    with_client = warm.measure_warm_calls(turns, "replace_network", warm.WRITE_CASES)
    _print_table("microseconds of a warm call", tuple(CASES), warm_us)
    _print_table("microseconds of a warm write with its own client", warm.WRITE_CASES, with_client)
    _print_table("milliseconds of import", FUNCTIONS, imports)
    _print_table("milliseconds of import and first call", FUNCTIONS, firsts)
    save_results(
        "api",
        {
            "warm_us": warm_us,
            "import_ms": imports,
            "warm_with_client_us": with_client,
            "import_and_first_call_ms": firsts,
            "first_call_ms": {name: round(firsts[name] - parts[name], 1) for name in firsts},
        },
    )


def _print_table(title: str, names: tuple[str, ...], found: dict[str, float]) -> None:
    print(f"{title:50}", *(f"{contender:>12}" for contender in CONTENDERS), f"{'of the best other':>18}")
    for name in names:
        ours, *others = (found[f"{contender} {name}"] for contender in CONTENDERS)
        print(f"  {name:48}", *(f"{number:12.1f}" for number in (ours, *others)), f"{ours / min(others):18.2f}")


if __name__ == "__main__":
    main()
