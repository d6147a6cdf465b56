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

WRITES_DURING_OUTAGE = 300
ARRIVAL_TIMEOUT_SECONDS = 240

console = Console(highlight=False)


def main() -> int:
    """Run the demo; returns 0 if every field of every airport was read back as it was written."""
    try:
        with _print_step("starting the local stack"):
            stack = up(report_progress=lambda line: console.print(f"  {line}", style="dim"))
        return _run(stack)
    except LocalError as error:
        if error.log:
            console.print(f"log: {error.log}", style="dim")
        console.print(str(error), style="red")
        return 1


def _run(stack: Stack) -> int:
    client, observer = ApiClient(stack.api_url, stack.machine_token()), DatabaseObserver(stack)
    source = load_airports()
    before, started = observer.read_counters(), time.monotonic()

    accepted = _write_records(client, source, "writing airports over HTTP")
    write_seconds = time.monotonic() - started
    with _print_step("waiting until the replica has all writes"):
        _wait_for_arrival(observer, accepted)
    with _print_step("reading all airports and comparing every field"):
        mismatches = count_mismatches(source, client.list_items(COLLECTION))

    console.print("killing the primary (SIGKILL)")
    stack.pair.primary.kill()
    changed = {code: {**source[code], "subd": "Changed"} for code in [*source][:WRITES_DURING_OUTAGE]}
    accepted_during_outage = _write_records(client, changed, "writing while the primary is down")
    with _print_step("restarting the primary"):
        stack.pair.start()
    with _print_step("waiting until the replica has the writes of the outage"):
        _wait_for_arrival(observer, accepted_during_outage)
    with _print_step("reading all airports and comparing every field"):
        mismatches += count_mismatches({**source, **changed}, client.list_items(COLLECTION))

    after = observer.read_counters()
    _print_table(
        {
            "writes accepted (202)": f"{len(accepted) + len(accepted_during_outage):,}",
            "of them while the primary was down": f"{len(accepted_during_outage):,}",
            "writes loaded": f"{after.rows - before.rows:,}",
            "batches": f"{after.batches - before.batches:,}",
            "transactions on the primary": f"{after.transactions - before.transactions:,}",
            "writes per second over HTTP": f"{len(accepted) / write_seconds:,.0f}",
            "seconds in total": f"{time.monotonic() - started:,.0f}",
        }
    )
    console.print(f"mismatches = {mismatches}", style="bold green" if mismatches == 0 else "bold red")
    return 0 if mismatches == 0 else 1


def _write_records(client: ApiClient, records: Mapping[str, Mapping[str, object]], description: str) -> dict[str, str]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(description, total=len(records))
        return client.put_items(COLLECTION, records.items(), lambda: progress.advance(task))


def _wait_for_arrival(observer: DatabaseObserver, versions: Mapping[str, str]) -> None:
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_SECONDS
    while missing := observer.count_missing(COLLECTION, versions):
        if time.monotonic() > deadline:
            raise LocalError(
                f"After {ARRIVAL_TIMEOUT_SECONDS} s the replica lacks {missing:,} writes; see `make status`."
            )
        time.sleep(1)


@contextmanager
def _print_step(description: str) -> Iterator[None]:
    started = time.monotonic()
    console.print(f"{description} …")
    yield
    console.print(f"  {time.monotonic() - started:.1f} s", style="dim")


def _print_table(lines: Mapping[str, str]) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in lines.items():
        table.add_row(name, value)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
