"""`make bench`: the API's handlers, warm and from a cold start, compared with two frameworks that do the same work."""

from bench.api.cases import CASES, CONTENDERS, FUNCTIONS
from bench.api.timing import WRITE_CASES, measure_cold_starts, measure_warm_calls
from bench.results import is_short, save_results

COLD_STARTS, SHORT_COLD_STARTS = 15, 1
TURNS, SHORT_TURNS = 40, 1


def main() -> None:
    turns = SHORT_TURNS if is_short() else TURNS
    imports, first_calls, first_imports = measure_cold_starts(SHORT_COLD_STARTS if is_short() else COLD_STARTS)
    warm = measure_warm_calls(turns, "replace_client", tuple(CASES))
    warm_with_client = measure_warm_calls(turns, "replace_network", WRITE_CASES)
    _print_table("microseconds of a warm call", tuple(CASES), warm)
    _print_table("microseconds of a warm write with its own client", WRITE_CASES, warm_with_client)
    _print_table("milliseconds of import", FUNCTIONS, imports)
    _print_table("milliseconds of import and first call", FUNCTIONS, first_calls)
    save_results(
        "api",
        {
            "warm_us": warm,
            "import_ms": imports,
            "warm_with_client_us": warm_with_client,
            "import_and_first_call_ms": first_calls,
            "first_call_ms": {name: round(first_calls[name] - first_imports[name], 1) for name in first_calls},
        },
    )


def _print_table(title: str, names: tuple[str, ...], medians: dict[str, float]) -> None:
    print(f"{title:50}", *(f"{contender:>12}" for contender in CONTENDERS), f"{'of the best other':>18}")
    for name in names:
        ours, *others = (medians[f"{contender} {name}"] for contender in CONTENDERS)
        print(f"  {name:48}", *(f"{number:12.1f}" for number in (ours, *others)), f"{ours / min(others):18.2f}")


if __name__ == "__main__":
    main()
