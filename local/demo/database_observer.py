"""What the database says of the demo: transactions on the primary, batches in the ledger, versions in a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from local.database import DatabaseServer
from local.stack import Stack


@dataclass(frozen=True)
class Counters:
    """Sums since the database was made."""

    transactions: int
    batches: int
    rows: int


class DatabaseObserver:
    """Looks at primary and replica as the admin, over connections that last for one question."""

    def __init__(self, stack: Stack) -> None:
        self._pair = stack.pair
        self._schema = "sluice"

    def read_counters(self) -> Counters:
        """Committed transactions by the primary's GTID, loaded batches and the writes in them by the ledger."""
        position = str(self._one(self._pair.primary, "SELECT @@gtid_binlog_pos"))
        ledger = "SELECT COUNT(*), COALESCE(SUM(applied + stale + rejected), 0) FROM loaded_batches"
        batches, rows = self._row(self._pair.primary, ledger)
        return Counters(int(position.rsplit("-", 1)[-1]), int(str(batches)), int(str(rows)))

    def count_missing(self, collection: str, versions: Mapping[str, str]) -> int:
        """How many items the replica does not have in these versions or later ones."""
        connection = self._pair.replica.connect(*self._pair.admin_credentials, database=self._schema)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT id, version FROM `{collection}` WHERE owner = ''")  # noqa: S608  demo's own name
            found: dict[str, str] = dict(cursor.fetchall())
        return sum(found.get(item, "") < version for item, version in versions.items())

    def _one(self, server: DatabaseServer, statement: str) -> object:
        return self._row(server, statement)[0]

    def _row(self, server: DatabaseServer, statement: str) -> tuple[object, ...]:
        with (
            server.connect(*self._pair.admin_credentials, database=self._schema) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            row: tuple[object, ...] = cursor.fetchone() or ()
        return row
