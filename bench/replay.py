"""How long a replay takes, against loading the same batches directly, and how that grows with their number.

The batches are small (100 writes), so that what a replay adds to each of them shows.
"""

import datetime
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from bench.loading.batches import TABLE_CREATED_MS, WriteGenerator
from bench.loading.database import connect_primary, install_trust_layer
from bench.results import is_short, save_results
from local.stack import Stack
from sluice.aws.s3 import S3Client
from sluice.load.batch_reader import open_batch
from sluice.load.loader import Loader
from sluice.model.registry import load_resources

WRITES_PER_BATCH = 100  # in a batch
FULL_SIZES, SHORT_SIZES = {10: 5, 100: 3, 1000: 1}, {10: 1}
SCHEMA = "sluice"
# Rules that would load batches besides what is measured.
OTHER_RULES = ("BatchDelivered", "BatchesParked", "RecoverySchedule")


class ReplayBenchmark:
    """The same batches, directly and by a replay, into empty tables each time."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._s3, self._states = stack.aws_client("s3"), stack.aws_client("stepfunctions")
        self._bucket = stack.outputs["BatchBucketName"]
        self._source = WriteGenerator(1)
        self._loader = Loader(connect_primary(stack.pair, SCHEMA), load_resources(), partial(open_batch, S3Client()))
        self._keys: list[str] = []

    def put_batches(self, count: int) -> None:
        """Put so many batches into the bucket in place of those that are there."""
        for key in self._keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        hour = f"{datetime.datetime.now(datetime.UTC):%Y/%m/%d/%H}"
        self._keys = [f"batches/{hour}/bench-{number:06}.jsonl.gz" for number in range(count)]
        batches = [
            self._source.generate_batch(
                self._source.generate_items(WRITES_PER_BATCH), WRITES_PER_BATCH, TABLE_CREATED_MS + 1000 * number
            )
            for number in range(count)
        ]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._put, self._keys, [batch.content for batch in batches]))

    def _put(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def measure_direct_loads(self) -> float:
        """Seconds of the loader alone, one batch after the other."""
        self._empty()
        started = time.perf_counter()
        for key in self._keys:
            outcome = self._loader.load_batch(self._bucket, key)
            assert outcome.status == "loaded", outcome
        took = time.perf_counter() - started
        self._check()
        return took

    def measure_replay(self) -> tuple[float, float]:
        """Seconds of a replay; and of its loads, as they measured themselves, added up."""
        self._empty()
        took = self._replayed({})
        self._check()
        [[loads]] = self._query("SELECT SUM(duration_ms) FROM loaded_batches")
        return took, float(loads) / 1000

    def measure_empty_replay(self) -> float:
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
        assert (batches, rows) == (len(self._keys), len(self._keys) * WRITES_PER_BATCH * 95 // 100), (batches, rows)

    def _query(self, statement: str) -> Any:
        with (
            self._stack.pair.primary.connect(
                *self._stack.pair.admin_credentials, database=SCHEMA, autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()


def measure_medians(race: ReplayBenchmark, count: int, runs: int) -> dict[str, float]:
    """The medians of some runs, the ways taking turns."""
    race.put_batches(count)
    found: dict[str, list[float]] = {"direct": [], "replay": [], "loads": [], "nothing": []}
    for _ in range(runs):
        found["direct"].append(race.measure_direct_loads())
        took, loads = race.measure_replay()
        found["replay"].append(took)
        found["loads"].append(loads)
        found["nothing"].append(race.measure_empty_replay())
    return {name: round(statistics.median(times), 3) for name, times in found.items()}


def print_figures(count: int, found: dict[str, float]) -> None:
    ratio, share = found["replay"] / found["direct"], found["nothing"] / found["replay"]
    print(
        f"{count:>6,} batches: replay {found['replay']:>7.2f} s, directly {found['direct']:>7.2f} s: {ratio:.1f} x; "
        f"without any rows {found['nothing']:>7.2f} s: {share:.0%} of it",
        flush=True,
    )


def redirect_aws_clients(stack: Stack, folder: Path) -> None:
    """Lead the project's own clients to the stack, as its functions are led."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ENDPOINT_URL": stack.emulator.url, "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    install_trust_layer(folder, stack.pair.ca)


def disable_other_rules(stack: Stack) -> None:
    events, formation = stack.aws_client("events"), stack.aws_client("cloudformation")
    for rule in OTHER_RULES:
        found = formation.describe_stack_resource(StackName="sluice-local", LogicalResourceId=rule)
        events.disable_rule(Name=found["StackResourceDetail"]["PhysicalResourceId"])


def measure_replays(stack: Stack, folder: Path) -> None:
    """Measure, print and keep; nothing else may be at work on the stack."""
    redirect_aws_clients(stack, folder)
    disable_other_rules(stack)
    race, found = ReplayBenchmark(stack), {}
    for count, runs in (SHORT_SIZES if is_short() else FULL_SIZES).items():
        found[str(count)] = measure_medians(race, count, runs)
        print_figures(count, found[str(count)])
    save_results("replay", found)
