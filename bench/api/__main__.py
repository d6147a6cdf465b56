"""`make bench`: the API's handlers, warm and from a cold start, against the same work done with two frameworks."""

from bench.api import cold, warm
from bench.api.cases import CASES, CONTENDERS, FUNCTIONS
from bench.results import keep, short

STARTS, SHORT_STARTS = 15, 1
TURNS, SHORT_TURNS = 40, 1


def main() -> None:
    turns = SHORT_TURNS if short() else TURNS
    imports, firsts, parts = cold.starts(SHORT_STARTS if short() else STARTS)
    warm_us = warm.times(turns, "no_client", tuple(CASES))
    with_client = warm.times(turns, "no_network", warm.WRITES)
    _table("microseconds of a warm call", tuple(CASES), warm_us)
    _table("microseconds of a warm write with its own client", warm.WRITES, with_client)
    _table("milliseconds of import", FUNCTIONS, imports)
    _table("milliseconds of import and first call", FUNCTIONS, firsts)
    keep(
        "api",
        {
            "warm_us": warm_us,
            "import_ms": imports,
            "warm_with_client_us": with_client,
            "import_and_first_call_ms": firsts,
            "first_call_ms": {name: round(firsts[name] - parts[name], 1) for name in firsts},
        },
    )


def _table(title: str, names: tuple[str, ...], found: dict[str, float]) -> None:
    print(f"{title:50}", *(f"{contender:>12}" for contender in CONTENDERS), f"{'of the best other':>18}")
    for name in names:
        ours, *others = (found[f"{contender} {name}"] for contender in CONTENDERS)
        print(f"  {name:48}", *(f"{number:12.1f}" for number in (ours, *others)), f"{ours / min(others):18.2f}")


if __name__ == "__main__":
    main()
