"""The swap: the shadow's tables become the live ones in one statement, and those are kept.

Every load touches the ledger or the marks before any other table, and holds what it touched until its end. The one
RENAME wants all tables to itself: so a load is wholly before the swap, or wholly after it.
"""

import datetime
import re

import pymysql
from pymysql.constants import ER

from sluice.faults import TryAgain
from sluice.migrating.execution import Executor
from sluice.migrating.failures import CannotRebuild
from sluice.migrating.schema import quoted
from sluice.migrating.shadow import MARK, Shadow
from sluice.schemas import kept_among, kept_of

# How long the statement waits for loads that are at work, in seconds. Loads that come later wait behind it.
PATIENCE = 3

_HELD = {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}


class Swap:
    """Swaps one shadow in."""

    def __init__(self, executor: Executor, schema: str, shadow: Shadow) -> None:
        self._executor = executor
        self._schema = schema
        self._shadow = shadow

    def run(self, mark: str, began: datetime.datetime | None, now: datetime.datetime) -> str:
        """Swap, unless that is done already, and return the schema that has the old tables.

        With `began`, the shadow's ledger must have every batch that the live one got before then. Raises TryAgain when
        loads hold the tables, CannotRebuild, and pymysql's errors.
        """
        with self._shadow.alone():
            if self._is_done(mark):
                return self.kept()[-1]
            self._refuse_other_tables()
            if began:
                self._refuse_losses(began)
            kept = kept_of(self._schema, now)
            self._executor.run(f"CREATE DATABASE IF NOT EXISTS {quoted(kept)}")
            try:
                self._rename(kept)
            except BaseException:
                self._executor.run(f"DROP DATABASE {quoted(kept)}")
                raise
            self._shadow.clean()
            return kept

    def kept(self) -> list[str]:
        """The schemas that earlier swaps kept, the oldest first."""
        rows = self._executor.run("SELECT schema_name FROM information_schema.schemata")
        return kept_among(self._schema, (str(name) for (name,) in rows))

    def _is_done(self, mark: str) -> bool:
        marks = self._shadow.live("marks")
        return bool(
            self._executor.run(f"SELECT 1 FROM {marks} WHERE name = %s AND version = %s", (MARK, mark))  # noqa: S608
        )

    def _rename(self, kept: str) -> None:
        pairs = list(self._shadow.pairs())
        moves = [f"{live} TO {quoted(kept)}.{quoted(table)}, {shadow} TO {live}" for table, live, shadow in pairs]
        self._executor.run(f"SET SESSION lock_wait_timeout = {PATIENCE}")
        try:
            self._executor.run(f"RENAME TABLE {', '.join(moves)}")
        except pymysql.Error as error:
            if error.args[0] in _HELD:
                raise TryAgain("loads hold the tables") from None
            raise

    def _refuse_other_tables(self) -> None:
        changed = [
            table for table, live, shadow in self._shadow.pairs() if self._definition(live) != self._definition(shadow)
        ]
        if changed:
            raise CannotRebuild(
                f"The tables were changed since this rebuild began ({', '.join(changed)}), most likely by a deploy: "
                "rebuild again."
            )

    def _definition(self, table: str) -> str:
        text = str(self._executor.run(f"SHOW CREATE TABLE {table}")[0][1])
        return re.sub(r" AUTO_INCREMENT=\d+", "", text)

    def _refuse_losses(self, began: datetime.datetime) -> None:
        """By key: of an object that was written anew, S3 has only the last."""
        (live, shadow) = next(
            (live, shadow) for table, live, shadow in self._shadow.pairs() if table == "loaded_batches"
        )
        rows = self._executor.run(
            f"SELECT COUNT(*), MIN(object_key) FROM {live} WHERE loaded_at < %s "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM {shadow} AS shadow WHERE shadow.object_key = {live}.object_key)",
            (began.astimezone(datetime.UTC).replace(tzinfo=None),),
        )
        [(count, first)] = rows
        if count:
            raise CannotRebuild(
                f"The new tables would lack {count} batches that the old ones have, the first of them {first}: they "
                "are no longer in the bucket, or could not be loaded (see the report of this rebuild's replay). "
                "Nothing was swapped; build from the archive, or mend what was wrong with them."
            )
