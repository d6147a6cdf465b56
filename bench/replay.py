"""How long a replay takes, against loading the same batches directly, and how that grows with their number.

The batches are small (100 writes), so that what a replay adds to each of them shows.
"""

import datetime
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.loading.records import BIRTH, Source
from bench.loading.world import known, trust
from bench.results import keep, short
from local.stack import Stack
from sluice.loading.load import Loader
from sluice.registry import resources

WRITES = 100  # in a batch
FULL, SHORT = {10: 5, 100: 3, 1000: 1}, {10: 1}
SCHEMA = "sluice"
# Rules that would load batches besides what is measured.
RULES = ("BatchDelivered", "BatchesParked", "RecoverySchedule")


class Race:
    """The same batches, directly and by a replay, into empty tables each time."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._s3, self._states = stack.boto("s3"), stack.boto("stepfunctions")
        self._bucket = stack.outputs["BatchBucketName"]
        self._source = Source(1)
        self._loader = Loader(known(stack.pair, SCHEMA), resources())
        self._keys: list[str] = []

    def lay(self, count: int) -> None:
        """Put so many batches into the bucket in place of those that are there."""
        for key in self._keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        hour = f"{datetime.datetime.now(datetime.UTC):%Y/%m/%d/%H}"
        self._keys = [f"batches/{hour}/bench-{number:06}.jsonl.gz" for number in range(count)]
        batches = [
            self._source.batch(self._source.items(WRITES), WRITES, BIRTH + 1000 * number) for number in range(count)
        ]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._put, self._keys, [batch.content for batch in batches]))

    def _put(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def direct(self) -> float:
        """Seconds of the loader alone, one batch after the other."""
        self._empty()
        started = time.perf_counter()
        for key in self._keys:
            outcome = self._loader.load(self._bucket, key)
            assert outcome.status == "loaded", outcome
        took = time.perf_counter() - started
        self._check()
        return took

    def replay(self) -> tuple[float, float]:
        """Seconds of a replay; and of its loads, as they measured themselves, added up."""
        self._empty()
        took = self._replayed({})
        self._check()
        [[loads]] = self._query("SELECT SUM(duration_ms) FROM loaded_batches")
        return took, float(loads) / 1000

    def nothing(self) -> float:
        """Seconds of a replay of a collection that the batches have nothing of: all but the database's work."""
        self._empty()
        return self._replayed({"collections": ["airports"]})

    def _replayed(self, given: dict[str, Any]) -> float:
        self._stack.pair.wait_for_replica(300)
        machine = self._stack.outputs["ReplayStateMachineArn"]
        started = time.perf_counter()
        arn = self._states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
        while (found := self._states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.02)
        took = time.perf_counter() - started
        output = json.loads(found["output"])
        assert (output["status"], output["loaded"]) == ("complete", len(self._keys)), output
        return took

    def _empty(self) -> None:
        for table in ("bookings", "loaded_batches", "marks"):
            self._query(f"TRUNCATE TABLE {table}")
        self._stack.pair.wait_for_replica(300)

    def _check(self) -> None:
        [[batches]] = self._query("SELECT COUNT(*) FROM loaded_batches")
        [[rows]] = self._query("SELECT COUNT(*) FROM bookings")
        # A twentieth of the writes goes to an item of the same batch.
        assert (batches, rows) == (len(self._keys), len(self._keys) * WRITES * 95 // 100), (batches, rows)

    def _query(self, statement: str) -> Any:
        with (
            self._stack.pair.primary.connect(*self._stack.pair.admin, database=SCHEMA, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()


def measured(race: Race, count: int, runs: int) -> dict[str, float]:
    """The medians of some runs, the ways taking turns."""
    race.lay(count)
    found: dict[str, list[float]] = {"direct": [], "replay": [], "loads": [], "nothing": []}
    for _ in range(runs):
        found["direct"].append(race.direct())
        took, loads = race.replay()
        found["replay"].append(took)
        found["loads"].append(loads)
        found["nothing"].append(race.nothing())
    return {name: round(statistics.median(times), 3) for name, times in found.items()}


def show(count: int, found: dict[str, float]) -> None:
    ratio, share = found["replay"] / found["direct"], found["nothing"] / found["replay"]
    print(
        f"{count:>6,} batches: replay {found['replay']:>7.2f} s, directly {found['direct']:>7.2f} s: {ratio:.1f} x; "
        f"without any rows {found['nothing']:>7.2f} s: {share:.0%} of it",
        flush=True,
    )


def lead_home(stack: Stack, folder: Path) -> None:
    """Lead the project's own clients to the stack, as its functions are led."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ENDPOINT_URL": stack.emulator.url, "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    trust(folder, stack.pair.ca)


def only_measured(stack: Stack) -> None:
    events, formation = stack.boto("events"), stack.boto("cloudformation")
    for rule in RULES:
        found = formation.describe_stack_resource(StackName="sluice-local", LogicalResourceId=rule)
        events.disable_rule(Name=found["StackResourceDetail"]["PhysicalResourceId"])


def measure(stack: Stack, folder: Path) -> None:
    """Measure, print and keep; nothing else may be at work on the stack."""
    lead_home(stack, folder)
    only_measured(stack)
    race, found = Race(stack), {}
    for count, runs in (SHORT if short() else FULL).items():
        found[str(count)] = measured(race, count, runs)
        show(count, found[str(count)])
    keep("replay", found)
