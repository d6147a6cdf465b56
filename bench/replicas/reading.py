"""Replicas with a table of bookings, and processes that read them with the code of the reading function."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.api.cases import ROOT, build_environment
from bench.loading.database import SCHEMA, BenchDatabase
from bench.replicas.processor_limit import read_processor_seconds
from testkit.aws_stub import RESPONSES, serve_aws_stub

READER = json.loads(str(RESPONSES["GetSecretValue"]["SecretString"]))


@dataclass(frozen=True)
class Turn:
    """What some readers did at once: the microseconds of each read, what the readers' processors took for one read, and
    what those of each replica took for all of them."""

    us: Sequence[float]
    reader_us: float
    replica_us: Sequence[float]


class ReadBench:
    """The database of the benchmark. Its readers get a stub of Secrets Manager and a user of the stub's name."""

    def __init__(self, database: BenchDatabase) -> None:
        self.database = database
        self._items = database.folder / "items.txt"

    def prepare(self) -> None:
        """Write the file of items, create the readers' user, and wait for the replicas."""
        with self.database.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT owner, id FROM bookings WHERE NOT deleted")
            rows: Any = cursor.fetchall()
            # What a migration creates besides: a replica has reached a moment.
            cursor.execute(
                "INSERT INTO marks (name, version) VALUES ('as_of', '2026-11-29T17:00:03.123456')"
                " ON DUPLICATE KEY UPDATE version = VALUES(version)"
            )
            cursor.execute(
                f"GRANT SELECT ON {SCHEMA}.* TO %s@'%%' IDENTIFIED BY %s", (READER["username"], READER["password"])
            )
        self._items.write_text("".join(f"{owner} {item_id}\n" for owner, item_id in rows))
        self.database.servers.wait_for_replicas(300)

    @contextmanager
    def start_readers(self, number: int, replicas: Sequence[int], source: Path = ROOT / "src") -> Iterator["Readers"]:
        """Start so many processes that read these replicas, by index, with the code in `source`."""
        servers = [self.database.servers.replicas[index] for index in replicas]
        with serve_aws_stub() as url, ExitStack() as stack:
            environment = {
                **build_environment(url, POWERTOOLS_TRACE_DISABLED="1", DATABASE_NAME=SCHEMA),
                "READ_ENDPOINTS": ",".join(f"{server.host}:{server.port}" for server in servers),
                # Of an older source, which has one replica only.
                "DATABASE_HOST": servers[0].host,
                "DATABASE_PORT": str(servers[0].port),
                "PYTHONPATH": f"{source}:{ROOT}:{self.database.folder}",
            }
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-m", "bench.replicas.reader", str(self._items), str(seed)],
                        env=environment,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for seed in range(number)
            ]
            try:
                yield Readers(processes, [server.pid or 0 for server in self.database.servers.replicas])
            finally:
                for process in processes:
                    assert process.stdin
                    process.stdin.close()


class Readers:
    """Processes that read at once when they are asked to."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"], replica_pids: Sequence[int]) -> None:
        self._processes, self._replica_pids = processes, replica_pids

    def read(self, unit: str, number: float) -> Turn:
        """Let each read for so many seconds (unit `seconds`) or so often (unit `count`). Raises RuntimeError."""
        before = [read_processor_seconds(pid) for pid in self._replica_pids]
        for process in self._processes:
            assert process.stdin
            print(unit, number, file=process.stdin, flush=True)
        results = [self._receive(process) for process in self._processes]
        used = [read_processor_seconds(pid) - start for pid, start in zip(self._replica_pids, before, strict=True)]
        times = [time for result in results for time in result["us"]]
        reader_us = sum(result["processor_us"] for result in results) / len(times)
        return Turn(times, reader_us, [1e6 * seconds for seconds in used])

    @staticmethod
    def _receive(process: "subprocess.Popen[str]") -> Any:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{process.args!r} ended")
        return json.loads(line)
