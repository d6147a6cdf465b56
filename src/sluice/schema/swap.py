"""Swap the shadow's tables with the live ones in one statement, and manage the retained old tables.

Every load locks the ledger or the marks before any other table, and holds its locks until its end. The RENAME needs all
tables exclusively. So a load runs completely before the swap or completely after it.
"""

import datetime
import re
from typing import Any

import pymysql
from pymysql.constants import ER

from sluice.db.moment import create_moment_statement
from sluice.errors import LockConflict, RebuildRefused
from sluice.model.schema_names import filter_retained_schemas, retained_schema_name
from sluice.schema.ddl_executor import Executor, quote_name
from sluice.schema.shadow import REBUILD_MARK, Shadow

# How long the statement waits for running loads. Later loads queue behind it.
SWAP_WAIT_SECONDS = 3

_LOCK_ERRORS = {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}


class Swap:
    """The swap of one shadow."""

    def __init__(self, executor: Executor, schema: str, shadow: Shadow) -> None:
        self._executor = executor
        self._schema = schema
        self._shadow = shadow

    def run(self, mark: str, began: datetime.datetime | None, now: datetime.datetime) -> str:
        """Swap, unless the swap is done already, and return the schema that retains the old tables.

        With `began`, the shadow's ledger must have every batch that the live ledger got before then. Raises
        LockConflict when loads lock the tables, RebuildRefused, and pymysql's errors.
        """
        with self._shadow.hold_lock():
            if self._is_done(mark):
                return list_retained_schemas(self._executor, self._schema)[-1]
            self._refuse_other_tables()
            if began:
                self._refuse_lost_batches(began)
            retained = retained_schema_name(self._schema, now)
            self._executor.run(f"CREATE DATABASE IF NOT EXISTS {quote_name(retained)}")
            try:
                self._rename(retained)
            except BaseException:
                self._executor.run(f"DROP DATABASE {quote_name(retained)}")
                raise
            # The new tables have no moment. Until they have one, nobody can see that they are later than the old ones.
            self._executor.run(create_moment_statement(self._shadow.qualify_live("marks")), ())
            self._shadow.drop_schema()
            return retained

    def _is_done(self, mark: str) -> bool:
        marks = self._shadow.qualify_live("marks")
        return bool(
            self._executor.run(
                f"SELECT 1 FROM {marks} WHERE name = %s AND version = %s",  # noqa: S608
                (REBUILD_MARK, mark),
            )
        )

    def _rename(self, retained: str) -> None:
        moves = [
            f"{live} TO {quote_name(retained)}.{quote_name(table)}, {shadow} TO {live}"
            for table, live, shadow in self._shadow.list_table_pairs()
        ]
        self._executor.run(f"SET SESSION lock_wait_timeout = {SWAP_WAIT_SECONDS}")
        try:
            self._executor.run(f"RENAME TABLE {', '.join(moves)}")
        except pymysql.Error as error:
            if error.args[0] in _LOCK_ERRORS:
                raise LockConflict("loads lock the tables") from None
            raise

    def _refuse_other_tables(self) -> None:
        changed = [
            table
            for table, live, shadow in self._shadow.list_table_pairs()
            if self._read_definition(live) != self._read_definition(shadow)
        ]
        if changed:
            raise RebuildRefused(
                f"The tables changed after this rebuild started ({', '.join(changed)}), probably by a deployment: "
                "start the rebuild again."
            )

    def _read_definition(self, table: str) -> str:
        text = str(self._executor.run(f"SHOW CREATE TABLE {table}")[0][1])
        return re.sub(r" AUTO_INCREMENT=\d+", "", text)

    def _refuse_lost_batches(self, began: datetime.datetime) -> None:
        """Compare the ledgers by object key: of an overwritten object, S3 has only the last version."""
        (live, shadow) = next(
            (live, shadow) for table, live, shadow in self._shadow.list_table_pairs() if table == "loaded_batches"
        )
        [(count, first)] = self._executor.run(
            f"SELECT COUNT(*), MIN(object_key) FROM {live} WHERE loaded_at < %s "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM {shadow} AS shadow WHERE shadow.object_key = {live}.object_key)",
            (began.astimezone(datetime.UTC).replace(tzinfo=None),),
        )
        if count:
            raise RebuildRefused(
                f"The new tables would lack {count} batches of the old ones, the first is {first}: they are no longer "
                "in the bucket, or could not be loaded (see the report of this rebuild's replay). Nothing was swapped; "
                "rebuild from the archive, or repair the batches."
            )


def list_retained_schemas(executor: Executor, schema: str) -> list[str]:
    """The schemas that earlier swaps retained, the oldest first. Raises pymysql's errors."""
    rows = executor.run("SELECT schema_name FROM information_schema.schemata")
    return filter_retained_schemas(schema, (str(name) for (name,) in rows))


def describe_retained_schemas(executor: Executor, schema: str) -> list[dict[str, Any]]:
    """Each retained schema with its tables and their estimated size in bytes. Raises pymysql's errors."""
    described = []
    for name in list_retained_schemas(executor, schema):
        rows = executor.run(
            "SELECT table_name, data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = %s ORDER BY table_name",
            (name,),
        )
        tables = [str(table) for table, _ in rows]
        described.append({"name": name, "tables": tables, "bytes": sum(int(size) for _, size in rows)})
    return described


def drop_retained_schema(executor: Executor, schema: str, name: str) -> None:
    """Drop a retained schema. Raises RebuildRefused when there is none of that name, and pymysql's errors."""
    retained = list_retained_schemas(executor, schema)
    if name not in retained:
        raise RebuildRefused(f"There is no retained schema {name!r}; there are {', '.join(retained) or 'none'}.")
    executor.run(f"DROP DATABASE {quote_name(name)}")
