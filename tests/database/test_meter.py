"""What the meters of the local servers measure, on real servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ministack.services import cloudwatch
from pymysql.connections import Connection

from local.cache import CacheServer
from local.cache.meter import CacheMeter
from local.database import DatabaseServers
from local.database.meter import DatabaseMeter
from local.emulator.cloudwatch import gauges
from local.emulator.environment import CACHE_FOLDER, DATABASE_FOLDER
from testkit.emulator_harness import wait_until


def test_a_server_is_measured(servers: DatabaseServers) -> None:
    servers.wait_for_replicas()
    # The server ends a session a moment after its client. Without those of earlier tests, those of the replicas remain.
    wait_until(lambda: DatabaseMeter(servers.primary).measure()["DatabaseConnections"][0] == len(servers.replicas))
    meter = DatabaseMeter(servers.primary)
    first = meter.measure()
    assert set(first) == {"FreeStorageSpace", "FreeableMemory", "DatabaseConnections"}
    assert {unit for _, unit in first.values()} == {"Bytes", "Count"}
    assert first["FreeStorageSpace"][0] > 0 < first["FreeableMemory"][0]
    opened: list[Connection[Any]] = [servers.primary.connect_as_root() for _ in range(3)]
    with opened[0].cursor() as cursor:
        cursor.execute("SELECT BENCHMARK(2000000, SHA2('work', 512))")
    second = meter.measure()
    assert first["DatabaseConnections"][0] + 3 == second["DatabaseConnections"][0] >= 4
    assert 0 < second["CPUUtilization"][0] <= 100
    for connection in opened:
        connection.close()
    wait_until(lambda: meter.measure()["DatabaseConnections"] == first["DatabaseConnections"])


def test_broken_replication_is_a_lag_of_minus_one(servers: DatabaseServers) -> None:
    meter = DatabaseMeter(servers.replica)
    servers.wait_for_replicas()
    assert "ReplicaLag" not in DatabaseMeter(servers.primary).measure()
    assert meter.measure()["ReplicaLag"] == (0, "Seconds")
    with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        try:
            assert meter.measure()["ReplicaLag"] == (-1, "Seconds")
        finally:
            cursor.execute("START SLAVE SQL_THREAD")
    wait_until(lambda: meter.measure()["ReplicaLag"] == (0, "Seconds"))


def test_a_server_that_does_not_run_has_no_values(servers: DatabaseServers, tmp_path: Path) -> None:
    assert DatabaseMeter(DatabaseServers(tmp_path).primary).measure() == {}
    meter = DatabaseMeter(servers.replica)
    meter.measure()
    servers.replica.stop()
    try:
        assert meter.measure() == {}
    finally:
        servers.start()
    # A new process has no earlier measurement.
    assert "CPUUtilization" not in meter.measure()
    assert "CPUUtilization" in meter.measure()


@pytest.fixture
def cache(servers: DatabaseServers, tmp_path: Path) -> Iterator[CacheServer]:
    server = CacheServer(tmp_path / "cache", servers.ca.parent)
    server.start(megabytes=16)
    yield server
    server.stop()


def test_a_cache_is_measured(cache: CacheServer) -> None:
    meter = CacheMeter(cache)
    first = meter.measure()
    assert set(first) == {"DatabaseMemoryUsagePercentage", "CurrConnections"}
    assert 0 < first["DatabaseMemoryUsagePercentage"][0] < 100
    cache._exchange(*cache.credentials, "SET key value", "GET key", "GET absent", "GET missing")
    second = meter.measure()
    assert (second["CacheHits"], second["CacheMisses"]) == ((1, "Count"), (2, "Count"))
    assert second["Evictions"] == (0, "Count")
    assert 0 < second["EngineCPUUtilization"][0] <= 100
    assert meter.measure()["CacheHits"] == (0, "Count")
    cache.stop()
    assert meter.measure() == {}


def test_the_account_of_the_meter_reads_nothing_but_information(cache: CacheServer) -> None:
    with pytest.raises(OSError, match="NOPERM"):
        cache._exchange("meter", cache._meter_password, "GET key")
    with pytest.raises(OSError, match="NOPERM"):
        cache._exchange(*cache.credentials, "INFO")


def test_the_emulator_stores_what_the_meters_measure(
    servers: DatabaseServers, cache: CacheServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloudwatch, "_metrics", cloudwatch.AccountRegionScopedDict())
    monkeypatch.setenv(DATABASE_FOLDER, str(servers.root))
    monkeypatch.setenv(CACHE_FOLDER, str(cache.directory))
    gauges.measure_servers(gauges.list_meters())
    stored = {(namespace, name, dimensions) for namespace, name, dimensions in cloudwatch._metrics.keys()}  # noqa: SIM118
    assert {
        ("AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier=sluice-local-primary"),
        ("AWS/RDS", "ReplicaLag", "DBInstanceIdentifier=sluice-local-replica-1"),
        ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "CacheClusterId=sluice-local-001"),
    } <= stored
    monkeypatch.delenv(DATABASE_FOLDER)
    assert gauges.list_meters() == []
