"""`make bench`: reads from the cache and from the replica, loads with the cache and without, in turns."""

import io
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bench import create_folder
from bench.loading.database import SCHEMA, BenchDatabase, connect_primary
from bench.loading.scenarios import ScenarioGenerator
from bench.results import is_short, save_results
from local.cache import CacheServer
from sluice.aws.secrets import Credentials
from sluice.cache.epoch import CacheEntry, encode_entry, item_key, parse_epoch
from sluice.cache.invalidation import CacheInvalidator
from sluice.cache.reader import CacheReader
from sluice.cache.valkey_client import ValkeyClient
from sluice.db.connection import Database
from sluice.http.api_gateway import parse_request
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
LOADS, SHORT_LOADS = {1000: 15, 10_000: 9, 100_000: 5}, {1000: 1}  # the number of loads by size
ITEM_COUNT = 100  # the reads take these items in turns
ENTRY_SECONDS = 86_400


class CacheBenchmark:
    """Databases with a cache: the loaders write to the primary, the reader reads the replica."""

    def __init__(self, database: BenchDatabase, cache: CacheServer) -> None:
        self._database, self._scenarios, self._batch_number = database, ScenarioGenerator(database), 0
        self._objects: dict[str, BatchObject] = {}
        self._settings = CacheSettings("localhost", cache.port, "none", ENTRY_SECONDS)
        self._user = Credentials(*cache.credentials)
        self._resource = load_resources()["bookings"]
        self._client = self._connect_cache()
        self._reader = CacheReader(self._client, ENTRY_SECONDS)
        with_cache = self._create_loader(CacheInvalidator(self._connect_cache(), load_resources()))
        # With `none` and `all` the cache has none or all of the items of the batch.
        self._loaders = {"without": self._create_loader(None), "none": with_cache, "all": with_cache}
        server = database.servers.replica
        settings = ReadSettings(
            f"{server.host}:{server.port}", SCHEMA, "none", buffer_seconds=60, wait_seconds=0, stale_seconds=60
        )
        replica = Database(settings.place_databases()[0], statement_timeout_seconds=60)
        replica.access.credentials = Credentials(*database.servers.admin_credentials)
        self._cached = ReadRouter(load_resources(), [replica], settings, self._reader)
        self._uncached = ReadRouter(load_resources(), [replica], settings)

    def _connect_cache(self) -> ValkeyClient:
        client = ValkeyClient(self._settings, 10.0)
        client._user = self._user
        return client

    def _create_loader(self, invalidator: CacheInvalidator | None) -> Loader:
        primary = connect_primary(self._database.servers, SCHEMA)
        return Loader(primary, load_resources(), lambda _, key: self._objects[key], cache=invalidator)

    def measure_reads(self, count: int) -> dict[str, float]:
        """Median microseconds from the event of a GET to its response, from the cache and from the replica in turns."""
        self._load("none", 1000)
        self._database.servers.wait_for_replicas(300)
        with self._database.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT owner, id FROM bookings WHERE NOT deleted LIMIT %s", (ITEM_COUNT,))
            rows: Any = cursor.fetchall()
        requests = [_build_request(owner, item_id) for owner, item_id in rows]
        for request in requests:
            self._read(self._cached, request)
        times: dict[str, list[float]] = {"hit": [], "replica": []}
        for number in range(count):
            request = requests[number % len(requests)]
            # The reader need not read the epoch again for as long as this takes.
            self._reader._epoch_expires_at = time.monotonic() + 60
            times["hit"].append(self._read(self._cached, request))
            times["replica"].append(self._read(self._uncached, request))
        return {name: round(1e6 * statistics.median(seconds), 1) for name, seconds in times.items()}

    @staticmethod
    def _read(router: ReadRouter, request: Request) -> float:
        started = time.perf_counter()
        response = router.respond(request)
        seconds = time.perf_counter() - started
        assert response.status == 200
        return seconds

    def measure_loads(self, runs_by_size: dict[int, int]) -> dict[str, dict[str, float]]:
        """Median milliseconds of a load of updates by size.

        The load has no cache, a cache that has none of its items, or one that has all of them.
        """
        medians: dict[str, dict[str, float]] = {}
        names = list(self._loaders)
        for size, runs in runs_by_size.items():
            times: dict[str, list[float]] = {name: [] for name in names}
            for run in range(runs):
                for turn in range(len(names)):
                    name = names[(turn + run) % len(names)]
                    times[name].append(self._load(name, size))
            medians[str(size)] = {name: round(1000 * statistics.median(seconds), 2) for name, seconds in times.items()}
        return medians

    def _load(self, name: str, size: int) -> float:
        if name == "all":
            self._load("none", 20)  # after a load without a cache, the epoch has ended
        batch = self._scenarios.build_batch("updated", size)
        self._batch_number += 1
        key = f"batches/{self._batch_number}"
        self._objects = {key: BatchObject(key, "etag", io.BytesIO(batch.content))}
        if name == "all":
            self._fill_cache(batch.writes)
        self._database.servers.wait_for_replicas(300)
        started = time.perf_counter()
        outcome = self._loaders[name].load_batch("bucket", key)
        seconds = time.perf_counter() - started
        assert outcome.applied + outcome.stale == size, outcome
        return seconds

    def _fill_cache(self, writes: Sequence[Write]) -> None:
        """Store an entry for each item, in the epoch that the load will read."""
        with self._database.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT version FROM marks WHERE name = 'cache'")
            row: Any = cursor.fetchone()
        epoch = parse_epoch(row[0]).name
        versions = {ItemAddress(self._resource, write.owner, write.id): write.version for write in writes}
        commands = [
            (
                "SET",
                item_key(epoch, address),
                encode_entry(address, CacheEntry(ItemState(version, version_time(version), b"x" * 300), "")),
            )
            for address, version in versions.items()
        ]
        for first in range(0, len(commands), 5000):
            self._client.send_commands(*commands[first : first + 5000])


def _build_request(owner: str, item_id: str) -> Request:
    return parse_request(
        {
            "httpMethod": "GET",
            "resource": "/v1/bookings/{id}",
            "pathParameters": {"id": item_id},
            "requestContext": {"authorizer": {"claims": {"sub": owner}}},
        }
    )


def main() -> None:
    short = is_short()
    with create_folder() as folder:
        database = BenchDatabase(folder, SHORT_ROWS if short else ROWS)
        cache = CacheServer(folder / "cache", database.servers.ca.parent)
        try:
            database.start()
            cache.start(megabytes=512)
            benchmark = CacheBenchmark(database, cache)
            reads = benchmark.measure_reads(SHORT_READS if short else READS)
            print(f"a read: {reads['hit']} us from the cache, {reads['replica']} us from the replica,", end=" ")
            print(f"{reads['replica'] / reads['hit']:.2f} x", flush=True)
            loads = benchmark.measure_loads(SHORT_LOADS if short else LOADS)
            for size, times in loads.items():
                ratios = ", ".join(f"{times[name] / times['without']:.2f} x with {name}" for name in ("none", "all"))
                print(f"a load of {int(size):>7,}: {times['without']} ms without a cache, {ratios} in it", flush=True)
            save_results("cache", {"read_us": reads, "load_ms": loads})
        finally:
            for server in (cache, database.servers):
                with suppress(Exception):
                    server.stop()


if __name__ == "__main__":
    main()
