"""The database servers of the local stack: a primary and its read replicas."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from local.database.accounts import Account, ensure_accounts, load_or_create_account
from local.database.certificates import create_certificates
from local.database.copies import copy_server, declare_position, install_copy
from local.database.installation import create_data_directories
from local.database.replica import ReplicaServer
from local.database.replica_count import adopt_former_replica, read_replica_count
from local.database.role import Role, read_role, write_role
from local.database.server import DatabaseServer
from local.process import LocalError

Server = TypeVar("Server", bound=DatabaseServer)

# What the emulated RDS says of its instances, by `local.emulator.rds`.
INSTANCES = "instances.json"


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
        self._buffer_pool_megabytes, self._memory = buffer_pool_megabytes, memory
        self.ca = self.root / "tls" / "ca.pem"
        self.primary = self._build(DatabaseServer, "primary")
        count = read_replica_count(self.root) if replicas is None else replicas
        self.replicas = tuple(self._build(ReplicaServer, f"replica-{number}") for number in range(1, count + 1))

    def _build(self, kind: type[Server], name: str) -> Server:
        settings = (
            f"--innodb-buffer-pool-size={self._buffer_pool_megabytes}M",
            *(_build_unsynchronised_settings(self._memory / name) if self._memory else ()),
        )
        return kind(self.root / name, certificates=self.root / "tls", settings=settings)

    def get(self, name: str) -> ReplicaServer:
        """The server of this name, whether it exists or not. It replicates only if its role says so."""
        return self._build(ReplicaServer, name)

    @property
    def replica(self) -> ReplicaServer:
        """The first replica."""
        return self.replicas[0]

    @property
    def all(self) -> tuple[DatabaseServer, ...]:
        """The primary and then its replicas."""
        return (self.primary, *self.replicas)

    @property
    def others(self) -> tuple[ReplicaServer, ...]:
        """The servers that the emulated RDS made besides: restored ones, and lost ones that it renamed."""
        named = {server.name for server in self.all}
        names = sorted(path.parent.name for path in self.root.glob("*/data"))
        return tuple(self.get(name) for name in names if name not in named)

    @property
    def admin_credentials(self) -> tuple[str, str]:
        """User name and password of the account that stands for the RDS master user."""
        account = load_or_create_account(self.root / "admin.json", "admin")
        return account.username, account.password

    @property
    def replication_account(self) -> Account:
        """The account with which replicas connect."""
        return load_or_create_account(self.root / "replication.json", "replication")

    def start(self) -> None:
        """Start what does not run; return when all servers are ready and replication runs. Raises LocalError.

        It also starts what RDS made besides, and creates nothing that RDS renamed or deleted.
        """
        with self.acquire_lock():
            adopt_former_replica(self.root)
            create_certificates(self.ca.parent)
            absent = self._list_absent_names()
            named = [server for server in self.all if server.name not in absent]
            new_replicas = self._create_missing_data(named)
            others = [server for server in self.others if server.name not in absent]
            running = [*(server for server in named if server not in new_replicas), *others]
            for server in running:
                server.launch()
            for server in running:
                server.wait_until_ready()
            if self.primary in named and not self.primary.role.source:
                admin = load_or_create_account(self.root / "admin.json", "admin")
                ensure_accounts(self.primary, admin=admin, replication=self.replication_account)
            for replica in new_replicas:
                self.seed_replica(replica, self.primary, read_role(replica.directory))
            for server in running:
                declare_position(server)
                if isinstance(server, ReplicaServer):
                    server.start_replication(self.replication_account)

    def _create_missing_data(self, named: list[DatabaseServer]) -> list[ReplicaServer]:
        """Create the data of servers that have none, and return the replicas that need a copy of the primary's."""
        new_replicas = [server for server in self.replicas if server in named and not server.data.exists()]
        if self.primary not in named or self.primary.data.exists():
            if new_replicas and self.primary not in named:
                raise LocalError("A replica has no data and there is no primary to copy; restore the primary first.")
            return new_replicas
        # A new primary begins its log with the first change, and so does whatever lacks data too.
        create_data_directories([server.data for server in named], self.root / "installing")
        return []

    def seed_replica(self, replica: ReplicaServer, source: DatabaseServer, role: Role) -> None:
        """Create a replica from a copy of its running source, start it and let it follow. Raises LocalError."""
        copy = copy_server(source, self.root / "staging" / replica.name)
        write_role(replica.directory, role)
        install_copy(copy, replica)
        replica.start()
        declare_position(replica)
        replica.start_replication(self.replication_account)

    def _list_absent_names(self) -> set[str]:
        """The names that RDS took from a server, or whose server it is creating."""
        try:
            saved = json.loads((self.root / INSTANCES).read_text())
        except FileNotFoundError:
            return set()
        instances = {instance["name"]: instance["status"] for instance in saved["instances"]}
        unfinished = {name for name, status in instances.items() if status in {"creating", "deleting", "renaming"}}
        return unfinished | (set(saved["released"]) - instances.keys())

    def stop(self) -> None:
        """Shut all down cleanly. The replicas catch up after the next start."""
        for replica in (*self.replicas, *self.others):
            replica.stop()
        self.primary.stop()

    def wait_for_replicas(self, timeout: float = 30) -> None:
        """Return when every replica has applied everything that the primary has committed so far.

        `timeout` is in seconds for each; after it, raises LocalError with the reason.
        """
        for replica in self.replicas:
            replica.wait_until_caught_up(timeout)

    @contextmanager
    def acquire_lock(self) -> Iterator[None]:
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
