"""The shadow of a schema: empty tables like the live ones, in a schema beside it, for a rebuild to fill."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sluice.exclusions import COLUMNS, Exclusion, as_row, end, in_force, of_rows
from sluice.migrating.execution import Executor
from sluice.migrating.obstacles import refuse
from sluice.migrating.schema import alone, quoted
from sluice.migrating.shapes import TEXT
from sluice.schemas import OWN_TABLES, shadow_of

LOCK_SECONDS = 60.0

# The mark by which a rebuild knows its own tables again, once they are swapped in.
MARK = "rebuild"


class Shadow:
    """One schema and its shadow. Every method raises pymysql's errors, and MigrationFailed with a sentence."""

    def __init__(self, executor: Executor, schema: str, collections: Iterable[str]) -> None:
        self._executor = executor
        self._schema = schema
        self._shadow = shadow_of(schema)
        self._tables = (*OWN_TABLES, *sorted(collections))

    def prepare(self, mark: str, exclusions: Sequence[Exclusion]) -> list[Exclusion]:
        """Make the tables anew, whatever an earlier rebuild has left; return what will be left out of them.

        That is what was excluded before, and these.
        """
        # No migration may come between the tables.
        with self.alone():
            refuse(self._executor, self._schema, self._tables)
            found = in_force([*self.exclusions(), *exclusions])
            self.clean()
            self._executor.run(f"CREATE DATABASE {quoted(self._shadow)} CHARACTER SET utf8mb4 COLLATE {TEXT}")
            for table in self._tables:
                # As they are, and not as the resources say: with columns and indexes that somebody made by hand.
                self._executor.run(f"CREATE TABLE {self._of_shadow(table)} LIKE {self.live(table)}")
            self._exclude(found)
            self._set_mark(MARK, mark)
            return found

    def clean(self) -> None:
        """Drop the shadow, if there is one."""
        self._executor.run(f"DROP DATABASE IF EXISTS {quoted(self._shadow)}")

    def exclusions(self) -> list[Exclusion]:
        """What is excluded from the live tables."""
        return of_rows(self._executor.run(f"SELECT {COLUMNS} FROM {self.live('exclusions')}"))  # noqa: S608

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """Every table by name, as SQL takes the live one, and the one of the shadow."""
        for table in self._tables:
            yield table, self.live(table), self._of_shadow(table)

    def live(self, table: str) -> str:
        """A live table as SQL takes it, from any schema."""
        return f"{quoted(self._schema)}.{quoted(table)}"

    def _of_shadow(self, table: str) -> str:
        return f"{quoted(self._shadow)}.{quoted(table)}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no migration runs."""
        with alone(self._executor, self._schema, LOCK_SECONDS):
            yield

    def _exclude(self, exclusions: Sequence[Exclusion]) -> None:
        for one in exclusions:
            self._executor.run(
                f"INSERT INTO {self._of_shadow('exclusions')} ({COLUMNS}) "  # noqa: S608
                "VALUES (%s, %s, %s, %s)",
                as_row(one),
            )
        if last := end(exclusions):
            self._set_mark("exclusions", last)

    def _set_mark(self, name: str, version: str) -> None:
        self._executor.run(
            f"INSERT INTO {self._of_shadow('marks')} (name, version) VALUES (%s, %s)",  # noqa: S608
            (name, version),
        )
