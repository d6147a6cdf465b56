"""The database servers of the local stack: a primary and its read replicas."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.database.accounts import ensure_accounts, load_or_create_account
from local.database.certificates import create_certificates
from local.database.installation import create_data_directories
from local.database.replica import ReplicaServer
from local.database.replica_count import adopt_former_replica, read_replica_count
from local.database.server import DatabaseServer


class DatabaseServers:
    """A primary and its replicas under `root`: `primary/`, `replica-1/` and so on, `tls/`, and the accounts' passwords.

    It changes nothing before `start()`, and never deletes data. Without `replicas`, the folder says how many there are.

    With `memory`, a folder in memory, no commit waits for the disk: committed data survive a killed server, but not a
    crash of the machine.
    """

    def __init__(
        self, root: Path, buffer_pool_megabytes: int = 128, *, replicas: int | None = None, memory: Path | None = None
    ) -> None:
        self.root = root.resolve()
        certificates = self.root / "tls"
        common = (f"--innodb-buffer-pool-size={buffer_pool_megabytes}M",)
        self.primary = DatabaseServer(
            self.root / "primary",
            certificates=certificates,
            settings=(
                *common,
                "--server-id=1",
                "--log-bin=binlog",
                "--binlog-format=ROW",
                # Every table has a primary key, so the changed columns are enough and halve the log.
                "--binlog-row-image=MINIMAL",
                "--sync-binlog=1",
                *(_build_unsynchronised_settings(memory / "primary") if memory else ()),
            ),
        )
        self.replicas = tuple(
            ReplicaServer(
                self.root / f"replica-{number}",
                self.primary,
                certificates=certificates,
                settings=(
                    *common,
                    f"--server-id={number + 1}",
                    "--read-only=ON",
                    "--relay-log=relay",
                    "--skip-slave-start",
                    *(_build_unsynchronised_settings(memory / f"replica-{number}") if memory else ()),
                ),
            )
            for number in range(1, (read_replica_count(self.root) if replicas is None else replicas) + 1)
        )
        self.ca = certificates / "ca.pem"

    @property
    def replica(self) -> ReplicaServer:
        """The first replica."""
        return self.replicas[0]

    @property
    def all(self) -> tuple[DatabaseServer, ...]:
        """The primary and then its replicas."""
        return (self.primary, *self.replicas)

    @property
    def admin_credentials(self) -> tuple[str, str]:
        """User name and password of the account that stands for the RDS master user."""
        account = load_or_create_account(self.root / "admin.json", "admin")
        return account.username, account.password

    def start(self) -> None:
        """Start what does not run; return when all servers are ready and replication runs. Raises LocalError."""
        with self._acquire_lock():
            adopt_former_replica(self.root)
            create_certificates(self.ca.parent)
            create_data_directories([server.data for server in self.all], self.root / "installing")
            for server in self.all:
                server.launch()
            for server in self.all:
                server.wait_until_ready()
            replication = load_or_create_account(self.root / "replication.json", "replication")
            admin = load_or_create_account(self.root / "admin.json", "admin")
            ensure_accounts(self.primary, admin=admin, replication=replication)
            for replica in self.replicas:
                replica.start_replication(replication)

    def stop(self) -> None:
        """Shut all down cleanly. The replicas catch up after the next start."""
        for replica in self.replicas:
            replica.stop()
        self.primary.stop()

    def wait_for_replicas(self, timeout: float = 30) -> None:
        """Return when every replica has applied everything that the primary has committed so far.

        `timeout` is in seconds for each; after it, raises LocalError with the reason.
        """
        for replica in self.replicas:
            replica.wait_until_caught_up(timeout)

    @contextmanager
    def _acquire_lock(self) -> Iterator[None]:
        """Let one process at a time start the servers."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _build_unsynchronised_settings(log: Path) -> tuple[str, ...]:
    return (
        "--innodb-flush-log-at-trx-commit=2",
        "--sync-binlog=0",
        "--sync-frm=OFF",
        "--sync-relay-log=0",
        "--sync-master-info=0",
        "--sync-relay-log-info=0",
        # MariaDB synchronises this log about 50 times for seven tables, and has no setting to turn that off.
        f"--log-ddl-recovery={log}",
    )
