"""The ways of plain rows into a table.

Rows beyond the high-water mark replace what is there, in one statement. The others are late: they go through a stage
and a merge that compares versions; where a sample says that most have lost already, their keys are compared first.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from sluice.db.connection import Connection
from sluice.load.fast.fast_reader import FastPart
from sluice.load.fast.fast_rows import RowsByKey
from sluice.load.load_data import LoadStatements, load_rows, merge_rows, run_statement
from sluice.load.load_result import ApplyResult
from sluice.load.row_format import KEY_SEPARATOR, extract_version

# Fewer late rows are merged as they are; of more, so many are looked up to see what is best done with the rest.
SAMPLE_SIZE = 64


_encoder = msgspec.json.Encoder()


class FastWriter:
    """Applies plain rows over one connection, within the transaction that is open on it.

    Its methods raise RowsRefused when the database does not take a row as it is, and pymysql's errors.
    """

    def __init__(self, connection: Connection, statements: Mapping[str, LoadStatements]) -> None:
        self._connection = connection
        self._statements = statements
        self._made: set[str] = set()
        self._touched: dict[str, set[int]] = {}

    def apply_rows(self, collection: str, part: FastPart, mark: str, before: str) -> ApplyResult:
        """Apply the rows of a collection, with the mark and with the newest version of this load's parts before."""
        rows, touched = part.rows[collection], self._touched.setdefault(collection, set())
        hashes = set(map(hash, rows))
        # That two keys may have one hash costs no more than a comparison.
        again = touched & hashes
        touched |= hashes
        newer, late = sorted(rows), RowsByKey()
        if part.oldest_version <= max(mark, before):
            late = {
                key: rows[key]
                for key in newer
                if (version := extract_version(rows[key])) <= mark or (version <= before and hash(key) in again)
            }
            newer = [key for key in newer if key not in late]
        tally = ApplyResult(applied=len(newer))
        if newer:
            load_rows(
                self._connection, self._statements[collection].replace_rows, (rows[key] for key in newer), len(newer)
            )
        if late:
            self._merge(self._statements[collection], collection, late, tally)
        return tally

    def _merge(self, statements: LoadStatements, collection: str, rows: RowsByKey, tally: ApplyResult) -> None:
        came = len(rows)
        if collection not in self._made:
            run_statement(self._connection, statements.create_stage)
            run_statement(self._connection, statements.create_keys)
            self._made.add(collection)
        if came > SAMPLE_SIZE and self._mostly_lost(statements, rows):
            rows = self._without_lost(statements, rows)
        applied = 0
        if rows:
            load_rows(self._connection, statements.fill_stage, rows.values(), len(rows))
            applied = merge_rows(self._connection, statements.merge_stage)
            run_statement(self._connection, statements.empty_stage)
        tally.applied += applied
        tally.stale += came - applied

    def _mostly_lost(self, statements: LoadStatements, rows: RowsByKey) -> bool:
        sample = dict(islice(rows.items(), 0, None, len(rows) // SAMPLE_SIZE))
        return 2 * len(self._without_lost(statements, sample)) < len(sample)

    def _without_lost(self, statements: LoadStatements, rows: RowsByKey) -> RowsByKey:
        """Leave out rows whose item has this version or a later one. Versions only grow: no lock is needed to know."""
        load_rows(self._connection, statements.fill_keys, _encode_keys(rows), len(rows))
        with self._connection.cursor() as cursor:
            cursor.execute(statements.select_newer)
            wanted = cursor.fetchall()
        run_statement(self._connection, statements.empty_keys)
        keys = list(rows)
        return {keys[place]: rows[keys[place]] for (place,) in wanted}


def _encode_keys(rows: RowsByKey) -> Iterable[bytes]:
    for place, (key, text) in enumerate(rows.items()):
        yield _encoder.encode((extract_version(text), *key.split(KEY_SEPARATOR, 1), place))
