"""How long a replay takes, compared with loading the same batches directly, and how that grows with their number.

The batches are small (100 writes), so that the overhead of a replay per batch is visible.
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
from sluice.model.resource import load_resources

WRITES_PER_BATCH = 100
FULL_SIZES, SHORT_SIZES = {10: 5, 100: 3, 1000: 1}, {10: 1}
SCHEMA = "sluice"
# Rules that would load batches while the benchmark runs.
OTHER_RULES = ("BatchDelivered", "BatchesParked", "RecoverySchedule")


class ReplayBenchmark:
    """Loads the same batches directly and with a replay, into empty tables each time."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._s3, self._step_functions = stack.aws_client("s3"), stack.aws_client("stepfunctions")
        self._bucket = stack.outputs["BatchBucketName"]
        self._generator = WriteGenerator(1)
        self._loader = Loader(connect_primary(stack.servers, SCHEMA), load_resources(), partial(open_batch, S3Client()))
        self._keys: list[str] = []

    def put_batches(self, count: int) -> None:
        """Replace the batches of the bucket by `count` new ones."""
        for key in self._keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        hour = f"{datetime.datetime.now(datetime.UTC):%Y/%m/%d/%H}"
        self._keys = [f"batches/{hour}/bench-{number:06}.jsonl.gz" for number in range(count)]
        contents = [self._generate_content(TABLE_CREATED_MS + 1000 * number) for number in range(count)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._put_object, self._keys, contents))

    def _generate_content(self, first_ms: int) -> bytes:
        items = self._generator.generate_items(WRITES_PER_BATCH)
        return self._generator.generate_batch(items, WRITES_PER_BATCH, first_ms).content

    def _put_object(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def measure_direct_loads(self) -> float:
        """Seconds of the loader alone, one batch after the other."""
        self._empty_tables()
        started = time.perf_counter()
        for key in self._keys:
            outcome = self._loader.load_batch(self._bucket, key)
            assert outcome.status == "loaded", outcome
        seconds = time.perf_counter() - started
        self._check_tables()
        return seconds

    def measure_replay(self) -> tuple[float, float]:
        """Seconds of a replay, and the sum of the seconds that its loads measured themselves."""
        self._empty_tables()
        seconds = self._run_replay({})
        self._check_tables()
        [[load_ms]] = self._query("SELECT SUM(duration_ms) FROM loaded_batches")
        return seconds, float(load_ms) / 1000

    def measure_empty_replay(self) -> float:
        """Seconds of a replay of a collection that has no writes in the batches: no rows are written."""
        self._empty_tables()
        return self._run_replay({"collections": ["airports"]})

    def _run_replay(self, request: dict[str, Any]) -> float:
        self._stack.servers.wait_for_replicas(300)
        state_machine = self._stack.outputs["ReplayStateMachineArn"]
        client = self._step_functions
        started = time.perf_counter()
        arn = client.start_execution(stateMachineArn=state_machine, input=json.dumps(request))["executionArn"]
        while (execution := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        output = json.loads(execution["output"])
        assert (output["status"], output["loaded"]) == ("complete", len(self._keys)), output
        return seconds

    def _empty_tables(self) -> None:
        for table in ("bookings", "loaded_batches", "marks"):
            self._query(f"TRUNCATE TABLE {table}")
        self._stack.servers.wait_for_replicas(300)

    def _check_tables(self) -> None:
        [[batches]] = self._query("SELECT COUNT(*) FROM loaded_batches")
        [[rows]] = self._query("SELECT COUNT(*) FROM bookings")
        # A twentieth of the writes repeat an item of the same batch.
        assert (batches, rows) == (len(self._keys), len(self._keys) * WRITES_PER_BATCH * 95 // 100), (batches, rows)

    def _query(self, statement: str) -> Any:
        account = self._stack.servers.admin_credentials
        with (
            self._stack.servers.primary.connect(*account, database=SCHEMA, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()


def measure_medians(benchmark: ReplayBenchmark, batch_count: int, runs: int) -> dict[str, float]:
    """The median seconds of each way. The ways take turns."""
    benchmark.put_batches(batch_count)
    times: dict[str, list[float]] = {"direct": [], "replay": [], "loads": [], "nothing": []}
    for _ in range(runs):
        times["direct"].append(benchmark.measure_direct_loads())
        replay_seconds, load_seconds = benchmark.measure_replay()
        times["replay"].append(replay_seconds)
        times["loads"].append(load_seconds)
        times["nothing"].append(benchmark.measure_empty_replay())
    return {name: round(statistics.median(seconds), 3) for name, seconds in times.items()}


def print_figures(batch_count: int, medians: dict[str, float]) -> None:
    ratio, share = medians["replay"] / medians["direct"], medians["nothing"] / medians["replay"]
    print(
        f"{batch_count:>6,} batches: replay {medians['replay']:>7.2f} s, "
        f"direct loads {medians['direct']:>7.2f} s: {ratio:.1f} x; "
        f"replay without rows {medians['nothing']:>7.2f} s: {share:.0%} of it",
        flush=True,
    )


def redirect_aws_clients(stack: Stack, folder: Path) -> None:
    """Point the clients of src/ at the stack, as the environment of its functions does."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ENDPOINT_URL": stack.emulator.url, "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    install_trust_layer(folder, stack.servers.ca)


def disable_other_rules(stack: Stack) -> None:
    events, cloudformation = stack.aws_client("events"), stack.aws_client("cloudformation")
    for rule in OTHER_RULES:
        resource = cloudformation.describe_stack_resource(StackName="sluice-local", LogicalResourceId=rule)
        events.disable_rule(Name=resource["StackResourceDetail"]["PhysicalResourceId"])


def measure_replays(stack: Stack, folder: Path) -> None:
    """Measure replays, print the figures and save them. Nothing else may run on the stack."""
    redirect_aws_clients(stack, folder)
    disable_other_rules(stack)
    benchmark, figures = ReplayBenchmark(stack), {}
    for batch_count, runs in (SHORT_SIZES if is_short() else FULL_SIZES).items():
        medians = measure_medians(benchmark, batch_count, runs)
        figures[str(batch_count)] = medians
        print_figures(batch_count, medians)
    save_results("replay", figures)
