"""The swap: the shadow's tables become the live ones in one statement, and those are kept.

Every load touches the ledger or the marks before any other table, and holds what it touched until its end. The one
RENAME wants all tables to itself: so a load is wholly before the swap, or wholly after it.

The tables that rebuilds kept: told, counted and dropped.
"""

import datetime
import re
from typing import Any

import pymysql
from pymysql.constants import ER

from sluice.errors import LockConflict, RebuildRefused
from sluice.model.schema_names import filter_retained_schemas, retained_schema_name
from sluice.schema.ddl_executor import Executor, quote_name
from sluice.schema.shadow import REBUILD_MARK, Shadow

# How long the statement waits for loads that are at work, in seconds. Loads that come later wait behind it.
SWAP_WAIT_SECONDS = 3


_HELD = {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}


class Swap:
    """Swaps one shadow in."""

    def __init__(self, executor: Executor, schema: str, shadow: Shadow) -> None:
        self._executor = executor
        self._schema = schema
        self._shadow = shadow

    def run(self, mark: str, began: datetime.datetime | None, now: datetime.datetime) -> str:
        """Swap, unless that is done already, and return the schema that has the old tables.

        With `began`, the shadow's ledger must have every batch that the live one got before then. Raises LockConflict
        when
        loads hold the tables, RebuildRefused, and pymysql's errors.
        """
        with self._shadow.hold_lock():
            if self._is_done(mark):
                return self.list_retained()[-1]
            self._refuse_other_tables()
            if began:
                self._refuse_lost_batches(began)
            kept = retained_schema_name(self._schema, now)
            self._executor.run(f"CREATE DATABASE IF NOT EXISTS {quote_name(kept)}")
            try:
                self._rename(kept)
            except BaseException:
                self._executor.run(f"DROP DATABASE {quote_name(kept)}")
                raise
            self._shadow.drop_schema()
            return kept

    def list_retained(self) -> list[str]:
        """The schemas that earlier swaps kept, the oldest first."""
        rows = self._executor.run("SELECT schema_name FROM information_schema.schemata")
        return filter_retained_schemas(self._schema, (str(name) for (name,) in rows))

    def _is_done(self, mark: str) -> bool:
        marks = self._shadow.qualify_live("marks")
        return bool(
            self._executor.run(f"SELECT 1 FROM {marks} WHERE name = %s AND version = %s", (REBUILD_MARK, mark))  # noqa: S608
        )

    def _rename(self, kept: str) -> None:
        pairs = list(self._shadow.list_table_pairs())
        moves = [
            f"{live} TO {quote_name(kept)}.{quote_name(table)}, {shadow} TO {live}" for table, live, shadow in pairs
        ]
        self._executor.run(f"SET SESSION lock_wait_timeout = {SWAP_WAIT_SECONDS}")
        try:
            self._executor.run(f"RENAME TABLE {', '.join(moves)}")
        except pymysql.Error as error:
            if error.args[0] in _HELD:
                raise LockConflict("loads hold the tables") from None
            raise

    def _refuse_other_tables(self) -> None:
        changed = [
            table
            for table, live, shadow in self._shadow.list_table_pairs()
            if self._definition(live) != self._definition(shadow)
        ]
        if changed:
            raise RebuildRefused(
                f"The tables were changed since this rebuild began ({', '.join(changed)}), most likely by a deploy: "
                "rebuild again."
            )

    def _definition(self, table: str) -> str:
        text = str(self._executor.run(f"SHOW CREATE TABLE {table}")[0][1])
        return re.sub(r" AUTO_INCREMENT=\d+", "", text)

    def _refuse_lost_batches(self, began: datetime.datetime) -> None:
        """By key: of an object that was written anew, S3 has only the last."""
        (live, shadow) = next(
            (live, shadow) for table, live, shadow in self._shadow.list_table_pairs() if table == "loaded_batches"
        )
        rows = self._executor.run(
            f"SELECT COUNT(*), MIN(object_key) FROM {live} WHERE loaded_at < %s "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM {shadow} AS shadow WHERE shadow.object_key = {live}.object_key)",
            (began.astimezone(datetime.UTC).replace(tzinfo=None),),
        )
        [(count, first)] = rows
        if count:
            raise RebuildRefused(
                f"The new tables would lack {count} batches that the old ones have, the first of them {first}: they "
                "are no longer in the bucket, or could not be loaded (see the report of this rebuild's replay). "
                "Nothing was swapped; build from the archive, or mend what was wrong with them."
            )


def list_retained_schemas(executor: Executor, swap: Swap) -> list[dict[str, Any]]:
    """Every kept schema with its tables and their size in bytes, as the server guesses it. Raises pymysql's errors."""
    found = []
    for schema in swap.list_retained():
        rows = executor.run(
            "SELECT table_name, data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = %s ORDER BY table_name",
            (schema,),
        )
        found.append({"name": schema, "tables": [str(name) for name, _ in rows], "bytes": sum(int(n) for _, n in rows)})
    return found


def drop_retained_schema(executor: Executor, swap: Swap, name: str) -> None:
    """Drop a kept schema. Raises RebuildRefused when there is none of that name, and pymysql's errors."""
    if name not in swap.list_retained():
        raise RebuildRefused(
            f"There is no kept schema {name!r}; there are {', '.join(swap.list_retained()) or 'none'}."
        )
    executor.run(f"DROP DATABASE {quote_name(name)}")
