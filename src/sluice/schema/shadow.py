"""What tables hold, in numbers. Tables are named as SQL takes them; every function raises pymysql's errors.

The shadow of a schema: empty tables like the live ones, in a schema beside it, for a rebuild to fill.
"""

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

_SUMS = ("applied", "stale", "rejected")


def count_rows(executor: Executor, table: str) -> dict[str, int]:
    """How many items a collection's table has, and how many tombstones."""
    [(count, deleted)] = executor.run(f"SELECT COUNT(*), COALESCE(SUM(deleted), 0) FROM {table}")  # noqa: S608
    return {"rows": int(count) - int(deleted), "deleted": int(deleted)}


def sum_ledger(executor: Executor, ledger: str) -> dict[str, int]:
    """How many batches a ledger has, and what they came to."""
    wanted = ", ".join(f"COALESCE(SUM({name}), 0)" for name in _SUMS)
    [found] = executor.run(f"SELECT COUNT(*), {wanted} FROM {ledger}")  # noqa: S608
    return dict(zip(("loaded", *_SUMS), map(int, found), strict=True))


LOCK_SECONDS = 60.0


# The mark by which a rebuild knows its own tables again, once they are swapped in.
REBUILD_MARK = "rebuild"


class Shadow:
    """One schema and its shadow. Every method raises pymysql's errors, and MigrationFailed with a sentence."""

    def __init__(self, executor: Executor, schema: str, collections: Iterable[str]) -> None:
        self._executor = executor
        self._schema = schema
        self._shadow = shadow_schema_name(schema)
        self._tables = (*SERVICE_TABLES, *sorted(collections))

    def prepare(self, mark: str, exclusions: Sequence[Exclusion]) -> list[Exclusion]:
        """Make the tables anew, whatever an earlier rebuild has left; return what will be left out of them.

        That is what was excluded before, and these.
        """
        # No migration may come between the tables.
        with self.hold_lock():
            check_rebuildable(self._executor, self._schema, self._tables)
            found = select_active_exclusions([*self.read_exclusions(), *exclusions])
            self.drop_schema()
            self._executor.run(
                f"CREATE DATABASE {quote_name(self._shadow)} CHARACTER SET utf8mb4 COLLATE {TEXT_COLLATION}"
            )
            for table in self._tables:
                # As they are, and not as the resources say: with columns and indexes that somebody made by hand.
                self._executor.run(f"CREATE TABLE {self._qualify_shadow(table)} LIKE {self.qualify_live(table)}")
            self._exclude(found)
            self._set_mark(REBUILD_MARK, mark)
            return found

    def drop_schema(self) -> None:
        """Drop the shadow, if there is one."""
        self._executor.run(f"DROP DATABASE IF EXISTS {quote_name(self._shadow)}")

    def read_exclusions(self) -> list[Exclusion]:
        """What is excluded from the live tables."""
        return decode_exclusion_rows(
            self._executor.run(f"SELECT {EXCLUSION_COLUMNS} FROM {self.qualify_live('exclusions')}")  # noqa: S608
        )

    def list_table_pairs(self) -> Iterator[tuple[str, str, str]]:
        """Every table by name, as SQL takes the live one, and the one of the shadow."""
        for table in self._tables:
            yield table, self.qualify_live(table), self._qualify_shadow(table)

    def qualify_live(self, table: str) -> str:
        """A live table as SQL takes it, from any schema."""
        return f"{quote_name(self._schema)}.{quote_name(table)}"

    def _qualify_shadow(self, table: str) -> str:
        return f"{quote_name(self._shadow)}.{quote_name(table)}"

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """While no migration runs."""
        with hold_migration_lock(self._executor, self._schema, LOCK_SECONDS):
            yield

    def _exclude(self, exclusions: Sequence[Exclusion]) -> None:
        for one in exclusions:
            self._executor.run(
                f"INSERT INTO {self._qualify_shadow('exclusions')} ({EXCLUSION_COLUMNS}) "  # noqa: S608
                "VALUES (%s, %s, %s, %s)",
                encode_exclusion_row(one),
            )
        if last := compute_end_version(exclusions):
            self._set_mark("exclusions", last)

    def _set_mark(self, name: str, version: str) -> None:
        self._executor.run(
            f"INSERT INTO {self._qualify_shadow('marks')} (name, version) VALUES (%s, %s)",  # noqa: S608
            (name, version),
        )
