"""`make bench`: reads answered by the cache and by the replica, loads with the cache and without, side by side."""

import io
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.loading.database import SCHEMA, BenchDatabase, connect_primary
from bench.loading.scenarios import ScenarioGenerator
from bench.results import is_short, save_results
from local.cache import CacheServer
from sluice.aws.secrets import Credentials
from sluice.cache.epoch import encode_entry, item_key
from sluice.cache.epoch import parse_epoch as generation_of
from sluice.cache.invalidation import CacheInvalidator
from sluice.cache.reader import CacheReader
from sluice.cache.valkey_client import ValkeyClient
from sluice.db.connection import Database
from sluice.http.request import Request
from sluice.load.batch_reader import BatchObject
from sluice.load.loader import Loader
from sluice.model.item_state import ItemAddress, ItemState
from sluice.model.record import Write
from sluice.model.resource import load_resources
from sluice.model.versions import version_time
from sluice.query.read_router import ReadRouter
from sluice.settings import CacheSettings, ReadSettings

ROWS, SHORT_ROWS = 300_000, 20_000
READS, SHORT_READS = 5000, 200
LOADS, SHORT_LOADS = {1000: 15, 10_000: 9, 100_000: 5}, {1000: 1}
ITEM_COUNT = 100  # that are read in turn
ENTRY_SECONDS = 86_400


class CacheBenchmark:
    """A world with a cache between its loaders and its reader, who reads the replica."""

    def __init__(self, world: BenchDatabase, cache: CacheServer) -> None:
        self._world, self._cases, self._number = world, ScenarioGenerator(world), 0
        self._objects: dict[str, BatchObject] = {}
        self._settings, self._user = (
            CacheSettings("localhost", cache.port, "none", ENTRY_SECONDS),
            Credentials(*cache.credentials),
        )
        self._resource = load_resources()["bookings"]
        self._client = self._connected()
        self._lookup = CacheReader(self._client, ENTRY_SECONDS)
        with_cache = self._loader(CacheInvalidator(self._connected(), load_resources()))
        # Of its items the cache has none, or all.
        self._loaders = {"without": self._loader(None), "none": with_cache, "all": with_cache}
        replica_settings = ReadSettings(
            world.pair.replica.host,
            world.pair.replica.port,
            SCHEMA,
            "none",
            buffer_seconds=60,
            wait_seconds=0,
            stale_seconds=60,
        )
        replica = Database(replica_settings, statement_timeout_seconds=60)
        replica._credentials = Credentials(*world.pair.admin_credentials)
        self._cached = ReadRouter(load_resources(), replica, replica_settings, self._lookup)
        self._uncached = ReadRouter(load_resources(), replica, replica_settings)

    def _connected(self) -> ValkeyClient:
        client = ValkeyClient(self._settings, 10.0)
        client._user = self._user
        return client

    def _loader(self, withdrawal: CacheInvalidator | None) -> Loader:
        return Loader(
            connect_primary(self._world.pair, SCHEMA),
            load_resources(),
            lambda _, key: self._objects[key],
            cache=withdrawal,
        )

    def measure_reads(self, count: int) -> dict[str, float]:
        """Microseconds from a GET's event to its answer, the median: by the cache and by the replica, in turns."""
        self._load("none", 1000)
        self._world.pair.wait_for_replica(300)
        with self._world.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT owner, id FROM bookings WHERE NOT deleted LIMIT %s", (ITEM_COUNT,))
            rows: Any = cursor.fetchall()
        requests = [_request(owner, item_id) for owner, item_id in rows]
        for request in requests:
            self._read(self._cached, request)
        times: dict[str, list[float]] = {"hit": [], "replica": []}
        for number in range(count):
            request = requests[number % len(requests)]
            # For as long as this takes, the reader need not ask again for the generation.
            self._lookup._epoch_expires_at = time.monotonic() + 60
            times["hit"].append(self._read(self._cached, request))
            times["replica"].append(self._read(self._uncached, request))
        return {name: round(1e6 * statistics.median(taken), 1) for name, taken in times.items()}

    @staticmethod
    def _read(router: ReadRouter, request: Request) -> float:
        started = time.perf_counter()
        response = router.respond(request)
        taken = time.perf_counter() - started
        assert response.status == 200
        return taken

    def measure_loads(self, sizes: dict[int, int]) -> dict[str, dict[str, float]]:
        """Milliseconds of a load of updates, the median by size: without a cache, with one that has none of its items,
        and with one that has all of them.
        """
        found: dict[str, dict[str, float]] = {}
        names = list(self._loaders)
        for size, runs in sizes.items():
            times: dict[str, list[float]] = {name: [] for name in names}
            for run in range(runs):
                for place in range(len(names)):
                    name = names[(place + run) % len(names)]
                    times[name].append(self._load(name, size))
            found[str(size)] = {name: round(1000 * statistics.median(taken), 2) for name, taken in times.items()}
        return found

    def _load(self, name: str, size: int) -> float:
        if name == "all":
            self._load("none", 20)  # a load without a cache has ended the generation
        batch = self._cases.build_batch("updated", size)
        self._number += 1
        key = f"batches/{self._number}"
        self._objects = {key: BatchObject(key, "etag", io.BytesIO(batch.content))}
        if name == "all":
            self._fill(batch.writes)
        self._world.pair.wait_for_replica(300)
        started = time.perf_counter()
        outcome = self._loaders[name].load_batch("bucket", key)
        taken = time.perf_counter() - started
        assert outcome.applied + outcome.stale == size, outcome
        return taken

    def _fill(self, writes: Sequence[Write]) -> None:
        """Give the cache an entry for each item, in the generation that the load will find."""
        with self._world.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT version FROM marks WHERE name = 'cache'")
            row: Any = cursor.fetchone()
        generation = generation_of(row[0]).name
        addresses = {ItemAddress(self._resource, write.owner, write.id): write.version for write in writes}
        entries = [
            (
                "SET",
                item_key(generation, address),
                encode_entry(address, ItemState(version, version_time(version), b"x" * 300)),
            )
            for address, version in addresses.items()
        ]
        for first in range(0, len(entries), 5000):
            self._client.send_commands(*entries[first : first + 5000])


def _request(owner: str, item_id: str) -> Request:
    return Request(
        {
            "httpMethod": "GET",
            "pathParameters": {"collection": "bookings", "id": item_id},
            "requestContext": {"authorizer": {"claims": {"sub": owner}}},
        }
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        world = BenchDatabase(Path(folder), SHORT_ROWS if is_short() else ROWS)
        cache = CacheServer(Path(folder) / "cache", world.pair.ca.parent)
        try:
            world.start()
            cache.start(megabytes=512)
            bench = CacheBenchmark(world, cache)
            read = bench.measure_reads(SHORT_READS if is_short() else READS)
            print(f"a read: {read['hit']} us by the cache, {read['replica']} us by the replica,", end=" ")
            print(f"{read['replica'] / read['hit']:.2f} x", flush=True)
            loads = bench.measure_loads(SHORT_LOADS if is_short() else LOADS)
            for size, taken in loads.items():
                ratios = ", ".join(f"{taken[name] / taken['without']:.2f} x with {name}" for name in ("none", "all"))
                print(f"a load of {int(size):>7,}: {taken['without']} ms without a cache, {ratios} in it", flush=True)
            save_results("cache", {"read_us": read, "load_ms": loads})
        finally:
            for part in (cache, world.pair):
                with suppress(Exception):
                    part.stop()


if __name__ == "__main__":
    main()
