"""Figures of the demo from the database: transactions on the primary, batches in the ledger, versions in a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from local.database import DatabaseServer
from local.stack import Stack


@dataclass(frozen=True)
class Counters:
    """Totals since the database was created."""

    transactions: int
    batches: int
    rows: int


class DatabaseObserver:
    """Queries primary and replica as the admin, with a new connection for each query."""

    def __init__(self, stack: Stack) -> None:
        self._servers = stack.servers
        self._schema = "sluice"

    def read_counters(self) -> Counters:
        """Committed transactions, from the GTID of the primary; loaded batches and their writes, from the ledger."""
        [position] = self._fetch_row(self._servers.primary, "SELECT @@gtid_binlog_pos")
        ledger = "SELECT COUNT(*), COALESCE(SUM(applied + stale + rejected), 0) FROM loaded_batches"
        batches, rows = self._fetch_row(self._servers.primary, ledger)
        return Counters(int(str(position).rsplit("-", 1)[-1]), int(str(batches)), int(str(rows)))

    def count_missing(self, collection: str, versions: Mapping[str, str]) -> int:
        """How many items the replica lacks, or has only in an older version."""
        connection = self._servers.replica.connect(*self._servers.admin_credentials, database=self._schema)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT id, version FROM `{collection}` WHERE owner = ''")  # noqa: S608  a constant name
            present: dict[str, str] = dict(cursor.fetchall())
        return sum(present.get(item_id, "") < version for item_id, version in versions.items())

    def _fetch_row(self, server: DatabaseServer, statement: str) -> tuple[object, ...]:
        credentials = self._servers.admin_credentials
        with server.connect(*credentials, database=self._schema) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            row: tuple[object, ...] = cursor.fetchone() or ()
        return row
