"""`make demo`."""

import json
import sys
import time
from collections.abc import Mapping

from local.demo.api_client import ApiClient
from local.demo.database_observer import DatabaseObserver
from local.demo.progress import Reporter
from local.demo.source import COLLECTION, FIRST, Airport, count_mismatches, load_airports
from local.process import LocalError
from local.stack import Stack, up

# The others go in as lines of NDJSON, many in a request. One in a request is how a person's client writes.
SINGLE_WRITES = 300
FIRST_READ_SECONDS = 60.0
ARRIVAL_TIMEOUT_SECONDS = 240


def main() -> int:
    """Run the demo; returns 0 if every field of every airport was read back as it was written."""
    report = Reporter()
    try:
        report.print("starting the local stack …")
        stack = up(report_progress=report.print_detail)
        return Demo(stack, report).run()
    except LocalError as error:
        if log := error.describe_log():
            report.print_detail(log)
        report.print_result(f"sluice: {error}", is_good=False)
    except KeyboardInterrupt:
        report.print_result("sluice: interrupted; `make demo` starts again, `make down` stops the stack", is_good=False)
    return 1


class Demo:
    """Writes all airports, the second half of them while the primary is down, and reads them from the replica."""

    def __init__(self, stack: Stack, report: Reporter) -> None:
        self._stack = stack
        self._report = report
        self._client = ApiClient(stack.api_url, stack.machine_token())
        self._observer = DatabaseObserver(stack)
        self._seconds = {"lines": 0.0, "single": 0.0}
        self._accepted = {"lines": 0, "single": 0}

    def run(self) -> int:
        """Returns the exit code."""
        before, source, started = self._observer.read_counters(), load_airports(), time.time()
        first_seconds = self._write_first(source[FIRST])
        others = [airport for code, airport in source.items() if code != FIRST]
        half = len(others) // 2

        versions = self._write_lines(others[:half], "writing half of the airports, 1,000 lines a request")
        versions |= self._write_single(others[:SINGLE_WRITES], "writing some again, one a request")
        self._wait_for_arrival(versions)

        self._report.print("killing the primary (SIGKILL)")
        self._stack.servers.primary.kill()
        during = sum(self._accepted.values())
        versions = self._write_lines(others[half:], "writing the other half while the primary is down")
        changed = {airport["icao"]: {**airport, "subd": "Changed"} for airport in others[:SINGLE_WRITES]}
        versions |= self._write_single([*changed.values()], "changing some while the primary is down, one a request")
        during = sum(self._accepted.values()) - during
        self._read(FIRST, "reading while the primary is down")
        with self._report.step("restarting the primary"):
            self._stack.servers.start()
        self._wait_for_arrival(versions)

        with self._report.step("reading all airports and comparing every field"):
            mismatches = count_mismatches({**source, **changed}, self._client.list_items(COLLECTION))
        after = self._observer.read_counters()
        self._report.print_table(
            {
                "writes accepted (202)": f"{sum(self._accepted.values()):,}",
                "of them while the primary was down": f"{during:,}",
                "writes loaded": f"{after.rows - before.rows:,}",
                "batches": f"{after.batches - before.batches:,}",
                "transactions on the primary": f"{after.transactions - before.transactions:,}",
                "writes per second, 1,000 a request": self._compute_rate("lines"),
                "writes per second, one a request": self._compute_rate("single"),
                "seconds until a write was served": f"{first_seconds:,.0f}",
                "alarms that fired": ", ".join(list_fired_alarms(self._stack, started)) or "none",
                "seconds in total": f"{self._report.seconds:,.0f}",
            }
        )
        self._report.print_result(f"mismatches = {mismatches}", is_good=mismatches == 0)
        return 0 if mismatches == 0 else 1

    def _write_first(self, airport: Airport) -> float:
        """Write an airport and read it back; returns the seconds since the start of the demo."""
        version = self._client.put_item(COLLECTION, FIRST, airport)
        self._accepted["single"] += 1
        self._report.print(f"first write accepted: PUT /v1/{COLLECTION}/{FIRST}")
        item = self._client.read_written(COLLECTION, FIRST, version, seconds=FIRST_READ_SECONDS)
        data = item["data"]
        self._report.print(
            f"first write served: GET {self._stack.api_url}/v1/{COLLECTION}/{FIRST} "
            f"answers {data['name']}, {data['city']}, {data['country']}",
            style="bold",
        )
        return self._report.seconds

    def _write_lines(self, airports: list[Airport], description: str) -> dict[str, str]:
        with self._report.count_writes(description, len(airports)) as advance:
            started = time.monotonic()
            versions = self._client.post_items(COLLECTION, airports, advance)
            self._count("lines", len(airports), started)
        return versions

    def _write_single(self, airports: list[Airport], description: str) -> dict[str, str]:
        with self._report.count_writes(description, len(airports)) as advance:
            started = time.monotonic()
            records = {airport["icao"]: airport for airport in airports}
            versions = self._client.put_items(COLLECTION, records, advance)
            self._count("single", len(airports), started)
        return versions

    def _count(self, way: str, writes: int, started: float) -> None:
        self._accepted[way] += writes
        self._seconds[way] += time.monotonic() - started

    def _compute_rate(self, way: str) -> str:
        return f"{self._accepted[way] / self._seconds[way]:,.0f}"

    def _read(self, code: str, description: str) -> None:
        item = self._client.read_item(COLLECTION, code)
        self._report.print(f"{description}: {code} is {item['data']['name']}")

    def _wait_for_arrival(self, versions: Mapping[str, str]) -> None:
        with self._report.step(f"waiting until the replica has these {len(versions):,} airports"):
            deadline = time.monotonic() + ARRIVAL_TIMEOUT_SECONDS
            while missing := self._observer.count_missing(COLLECTION, versions):
                if time.monotonic() > deadline:
                    raise LocalError(
                        f"After {ARRIVAL_TIMEOUT_SECONDS} s the replica lacks {missing:,} writes; see `make status`."
                    )
                time.sleep(0.5)


def list_fired_alarms(stack: Stack, since: float) -> list[str]:
    """The names of the alarms that fired since then, in order."""
    history = stack.aws_client("cloudwatch").get_paginator("describe_alarm_history")
    pages = history.paginate(HistoryItemType="StateUpdate")
    # The history has whole seconds.
    items = [item for page in pages for item in page["AlarmHistoryItems"] if item["Timestamp"].timestamp() > since - 1]
    changes = [(item["AlarmName"], json.loads(item["HistoryData"])["newState"]["stateValue"]) for item in items]
    return sorted({name for name, state in changes if state == "ALARM"})


if __name__ == "__main__":
    sys.exit(main())
