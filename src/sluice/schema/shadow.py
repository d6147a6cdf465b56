"""The shadow: a schema beside the live one, with empty copies of its tables, for a rebuild to fill."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sluice.model.exclusions import (
    EXCLUSION_COLUMNS,
    Exclusion,
    compute_end_version,
    decode_exclusion_rows,
    encode_exclusion_row,
    select_active_exclusions,
)
from sluice.model.schema_names import SERVICE_TABLES, shadow_schema_name
from sluice.schema.ddl_executor import TEXT_COLLATION, Executor, hold_migration_lock, quote_name
from sluice.schema.preflight import check_rebuildable

LOCK_SECONDS = 60.0

# The mark that identifies the tables of a rebuild after they are swapped in.
REBUILD_MARK = "rebuild"

_LEDGER_SUMS = ("applied", "stale", "rejected")


class Shadow:
    """The live schema and its shadow. Every method raises pymysql's errors, and MigrationFailed with a sentence."""

    def __init__(self, executor: Executor, schema: str, collections: Iterable[str]) -> None:
        self._executor = executor
        self._schema = schema
        self._shadow = shadow_schema_name(schema)
        self._tables = (*SERVICE_TABLES, *sorted(collections))

    def prepare(self, mark: str, exclusions: Sequence[Exclusion]) -> list[Exclusion]:
        """Create empty tables in place of an earlier shadow. Returns all active exclusions, earlier ones included."""
        # No migration may change the live tables meanwhile.
        with self.hold_lock():
            check_rebuildable(self._executor, self._schema, self._tables)
            active = select_active_exclusions([*self.read_exclusions(), *exclusions])
            self.drop_schema()
            self._executor.run(
                f"CREATE DATABASE {quote_name(self._shadow)} CHARACTER SET utf8mb4 COLLATE {TEXT_COLLATION}"
            )
            for table in self._tables:
                # A copy of the live table, not of the declared one: it keeps columns and indexes created by hand.
                self._executor.run(f"CREATE TABLE {self._qualify_shadow(table)} LIKE {self.qualify_live(table)}")
            self._insert_exclusions(active)
            self._insert_mark(REBUILD_MARK, mark)
            return active

    def drop_schema(self) -> None:
        """Drop the shadow, if there is one."""
        self._executor.run(f"DROP DATABASE IF EXISTS {quote_name(self._shadow)}")

    def read_exclusions(self) -> list[Exclusion]:
        """The exclusions of the live tables."""
        rows = self._executor.run(f"SELECT {EXCLUSION_COLUMNS} FROM {self.qualify_live('exclusions')}")  # noqa: S608
        return decode_exclusion_rows(rows)

    def list_table_pairs(self) -> Iterator[tuple[str, str, str]]:
        """Each table's name, its qualified live name and its qualified shadow name."""
        for table in self._tables:
            yield table, self.qualify_live(table), self._qualify_shadow(table)

    def qualify_live(self, table: str) -> str:
        """The quoted name of a live table with its schema."""
        return f"{quote_name(self._schema)}.{quote_name(table)}"

    def _qualify_shadow(self, table: str) -> str:
        return f"{quote_name(self._shadow)}.{quote_name(table)}"

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Hold the migration lock of the live schema."""
        with hold_migration_lock(self._executor, self._schema, LOCK_SECONDS):
            yield

    def count_rows(self, table: str) -> dict[str, int]:
        """The number of items and of tombstones in a collection's live table."""
        [(count, deleted)] = self._executor.run(
            f"SELECT COUNT(*), COALESCE(SUM(deleted), 0) FROM {self.qualify_live(table)}"  # noqa: S608
        )
        return {"rows": int(count) - int(deleted), "deleted": int(deleted)}

    def sum_ledger(self) -> dict[str, int]:
        """The number of batches in the live ledger, and the sums of their counts."""
        sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in _LEDGER_SUMS)
        [row] = self._executor.run(f"SELECT COUNT(*), {sums} FROM {self.qualify_live('loaded_batches')}")  # noqa: S608
        return dict(zip(("loaded", *_LEDGER_SUMS), map(int, row), strict=True))

    def _insert_exclusions(self, exclusions: Sequence[Exclusion]) -> None:
        for exclusion in exclusions:
            self._executor.run(
                f"INSERT INTO {self._qualify_shadow('exclusions')} ({EXCLUSION_COLUMNS}) "  # noqa: S608
                "VALUES (%s, %s, %s, %s)",
                encode_exclusion_row(exclusion),
            )
        if end := compute_end_version(exclusions):
            self._insert_mark("exclusions", end)

    def _insert_mark(self, name: str, version: str) -> None:
        self._executor.run(
            f"INSERT INTO {self._qualify_shadow('marks')} (name, version) VALUES (%s, %s)",  # noqa: S608
            (name, version),
        )
