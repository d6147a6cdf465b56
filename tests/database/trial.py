"""The property of convergence: two loaders that can fail, a plan, and the assertions after it."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from local.database import DatabaseServers
from sluice.errors import DatabaseUnavailable
from sluice.model.record import encode_write
from tests.database import model
from tests.database.plans import Delivery, Plan
from tests.database.rig import Rig
from tests.database.shaky import ProcessDied, ShakyDatabase


class Trial:
    """Two loaders, each with its own connection, which can fail on demand.

    `in_parts` says that batches are not read whole, so that it is open which lines meet in one part.
    """

    def __init__(self, rig: Rig, servers: DatabaseServers) -> None:
        self.rig = rig
        self.in_parts = False
        self._servers = servers
        self.databases = [ShakyDatabase(rig.database._settings, self._kill) for _ in range(2)]

    def _kill(self, connection_id: int) -> None:
        with self._servers.primary.connect_as_root() as root, root.cursor() as cursor:
            cursor.execute("KILL %s", (connection_id,))

    def converges(self, plan: Plan) -> None:
        """Load a plan into empty tables. Raises AssertionError unless the rows are those of the model."""
        self._clear()
        answers = self._deliver(plan)
        for collection in ("things", "codes"):
            assert self._rows(collection) == sorted(model.rows(plan, collection), key=_key)
        self._check_rejects(plan)
        self._check_ledger(plan, answers)

    def _clear(self) -> None:
        self.rig.objects.content.clear()
        with self.rig.connection.cursor() as cursor:
            for table in ("things", "codes", "loaded_batches", "rejected_writes", "marks"):
                cursor.execute(f"DELETE FROM {table}")
        self.rig.connection.commit()

    def _deliver(self, plan: Plan) -> list[tuple[int, str]]:
        """Run each loader with its deliveries, both at the same time. Return batch and status of each load."""
        for batch, lines in plan.batches.items():
            self.rig.objects.put(f"batches/{batch}", [plan.writes[line].write for line in lines])
        with ThreadPoolExecutor(2) as pool:
            at_work = [
                pool.submit(
                    self._load, database, [delivery for delivery in plan.deliveries if delivery.loader == number]
                )
                for number, database in enumerate(self.databases)
            ]
            return [answer for future in at_work for answer in future.result()]

    def _load(self, database: ShakyDatabase, deliveries: Sequence[Delivery]) -> list[tuple[int, str]]:
        loader = self.rig.loader(database)
        answers = []
        for delivery in deliveries:
            database.mishap, status = delivery.mishap, ""
            while not status:
                try:
                    status = loader.load_batch("bucket", f"batches/{delivery.batch}").status
                except DatabaseUnavailable:
                    continue
                except ProcessDied:
                    if delivery.mishap == "dies_after_commit":
                        answers.append((delivery.batch, "loaded"))
            answers.append((delivery.batch, status))
            database.mishap = "none"
        return answers

    def _rows(self, collection: str) -> list[model.Row]:
        stored_rows = self.rig.rows(f"SELECT * FROM {collection}")
        for row in stored_rows:
            row.update({name: msgspec.json.decode(row[name]) for name in model.JSON_COLUMNS & row.keys() if row[name]})
        return sorted(stored_rows, key=_key)

    def _check_rejects(self, plan: Plan) -> None:
        stored_rows = self.rig.rows("SELECT * FROM rejected_writes")
        rejected = {(row["version"], row["collection"], row["owner"], row["id"]) for row in stored_rows}
        assert model.rejects(plan) <= rejected <= (model.flawed(plan) if self.in_parts else model.rejects(plan))
        for row in stored_rows:
            line = plan.batches[_batch(row)][row["line"] - 1]
            assert row["write"].encode() + b"\n" == encode_write(plan.writes[line].write)
            assert row["reason"]

    def _check_ledger(self, plan: Plan, answers: list[tuple[int, str]]) -> None:
        stored_rows = self.rig.rows("SELECT * FROM loaded_batches")
        counted = {_batch(row): row["applied"] + row["stale"] + row["rejected"] for row in stored_rows}
        assert counted == {batch: len(lines) for batch, lines in plan.batches.items()}
        # The ledger's counts come from the load that changed the rows, not from a later one.
        assert sum(row["applied"] for row in stored_rows) >= len(self._rows("things")) + len(self._rows("codes"))
        assert Counter(batch for batch, status in answers if status == "loaded") == Counter(plan.batches.keys())
        assert {status for _, status in answers} <= {"loaded", "already_loaded"}


def _batch(row: model.Row) -> int:
    return int(row["object_key"].removeprefix("batches/"))


def _key(row: model.Row) -> tuple[str, str]:
    return row["owner"], row["id"]
