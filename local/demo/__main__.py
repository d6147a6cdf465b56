"""`make demo`."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from local.demo.api_client import ApiClient
from local.demo.database_observer import DatabaseObserver
from local.demo.source import COLLECTION, count_mismatches, load_airports
from local.process import LocalError
from local.stack import Stack, up

DURING_OUTAGE = 300
ARRIVAL_SECONDS = 240

console = Console(highlight=False)


def main() -> int:
    """Run the demo; 0 when every field of every airport came back as it was sent."""
    try:
        with _step("bringing the local stack up"):
            stack = up(report_progress=lambda line: console.print(f"  {line}", style="dim"))
        return _run(stack)
    except LocalError as error:
        console.print(str(error), style="red")
        return 1


def _run(stack: Stack) -> int:
    client, observer, source = ApiClient(stack.api_url, stack.machine_token()), DatabaseObserver(stack), load_airports()
    before, started = observer.read_counters(), time.monotonic()

    accepted = _write(client, source, "writing airports over HTTP")
    written = time.monotonic() - started
    with _step("waiting until the replica has them"):
        _arrive(observer, accepted)
    with _step("reading all of them back and comparing every field"):
        wrong = count_mismatches(source, client.list_items(COLLECTION))

    console.print("killing the primary (SIGKILL)")
    stack.pair.primary.kill()
    changed = {code: {**source[code], "subd": "Changed"} for code in [*source][:DURING_OUTAGE]}
    meanwhile = _write(client, changed, "writing on while it is down")
    with _step("starting the primary again"):
        stack.pair.start()
    with _step("waiting until what was written meanwhile arrives"):
        _arrive(observer, meanwhile)
    with _step("reading all of them back and comparing every field"):
        wrong += count_mismatches({**source, **changed}, client.list_items(COLLECTION))

    after = observer.read_counters()
    _report(
        {
            "writes accepted (202)": f"{len(accepted) + len(meanwhile):,}",
            "of them while the primary was down": f"{len(meanwhile):,}",
            "writes loaded": f"{after.rows - before.rows:,}",
            "batches": f"{after.batches - before.batches:,}",
            "transactions on the primary": f"{after.transactions - before.transactions:,}",
            "writes per second over HTTP": f"{len(accepted) / written:,.0f}",
            "seconds in all": f"{time.monotonic() - started:,.0f}",
        }
    )
    console.print(f"mismatches = {wrong}", style="bold green" if wrong == 0 else "bold red")
    return 0 if wrong == 0 else 1


def _write(client: ApiClient, records: Mapping[str, Mapping[str, object]], what: str) -> dict[str, str]:
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*bar, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(what, total=len(records))
        return client.put_items(COLLECTION, records.items(), lambda: progress.advance(task))


def _arrive(observer: DatabaseObserver, versions: Mapping[str, str]) -> None:
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while missing := observer.count_missing(COLLECTION, versions):
        if time.monotonic() > deadline:
            raise LocalError(f"After {ARRIVAL_SECONDS} s the replica lacks {missing:,} writes; see `make status`.")
        time.sleep(1)


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    console.print(f"{what} …")
    yield
    console.print(f"  {time.monotonic() - started:.1f} s", style="dim")


def _report(lines: Mapping[str, str]) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in lines.items():
        table.add_row(name, value)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
