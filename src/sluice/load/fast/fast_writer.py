"""Write the rows of the fast engine into a table.

Rows above the high-water mark replace the stored ones, in one statement. The other rows go through a stage and a merge
that compares versions. If a sample shows that most of them are stale, only their keys are compared first.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from sluice.db.connection import Connection
from sluice.load.fast.fast_reader import FastPart
from sluice.load.fast.fast_rows import RowsByKey
from sluice.load.load_data import LoadStatements, load_rows, merge_rows, run_statement
from sluice.load.load_types import ApplyResult
from sluice.load.row_format import extract_version
from sluice.model.item_state import split_item_key

# Up to so many older rows are merged at once. Of more rows, a sample of this size decides what to do with the rest.
SAMPLE_SIZE = 64

_encoder = msgspec.json.Encoder()


class FastWriter:
    """Writes rows over one connection, within its open transaction.

    Its methods raise RowsRejected when the database does not accept a row as it is, and pymysql's errors.
    """

    def __init__(self, connection: Connection, statements: Mapping[str, LoadStatements]) -> None:
        self._connection = connection
        self._statements = statements
        self._staged_collections: set[str] = set()
        self._written_hashes: dict[str, set[int]] = {}

    def apply_rows(self, collection: str, part: FastPart, high_water: str, newest_before: str) -> ApplyResult:
        """Write the rows of a collection.

        `high_water` is the mark before this load, `newest_before` the newest version of this load's earlier parts.
        """
        rows, written = part.rows[collection], self._written_hashes.setdefault(collection, set())
        hashes = set(map(hash, rows))
        # Two keys can have the same hash: that costs only a comparison.
        repeated = written & hashes
        written |= hashes
        newer, older = sorted(rows), RowsByKey()
        if part.oldest_version <= max(high_water, newest_before):
            older = {
                key: rows[key]
                for key in newer
                if (version := extract_version(rows[key])) <= high_water
                or (version <= newest_before and hash(key) in repeated)
            }
            newer = [key for key in newer if key not in older]
        result = ApplyResult(applied=len(newer))
        if newer:
            statement = self._statements[collection].replace_rows
            load_rows(self._connection, statement, (rows[key] for key in newer), len(newer))
        if older:
            applied = self._merge_rows(collection, older)
            result.applied += applied
            result.stale += len(older) - applied
        return result

    def _merge_rows(self, collection: str, rows: RowsByKey) -> int:
        """Merge rows by version, and return how many changed the table."""
        statements = self._statements[collection]
        if collection not in self._staged_collections:
            run_statement(self._connection, statements.create_stage)
            run_statement(self._connection, statements.create_keys)
            self._staged_collections.add(collection)
        if len(rows) > SAMPLE_SIZE and self._is_mostly_stale(statements, rows):
            rows = self._drop_stale_rows(statements, rows)
        if not rows:
            return 0
        load_rows(self._connection, statements.fill_stage, rows.values(), len(rows))
        applied = merge_rows(self._connection, statements.merge_stage)
        run_statement(self._connection, statements.empty_stage)
        return applied

    def _is_mostly_stale(self, statements: LoadStatements, rows: RowsByKey) -> bool:
        sample = dict(islice(rows.items(), 0, None, len(rows) // SAMPLE_SIZE))
        return 2 * len(self._drop_stale_rows(statements, sample)) < len(sample)

    def _drop_stale_rows(self, statements: LoadStatements, rows: RowsByKey) -> RowsByKey:
        """Drop rows whose item has this version or a later one. Versions only grow, so this needs no lock."""
        load_rows(self._connection, statements.fill_keys, _encode_keys(rows), len(rows))
        with self._connection.cursor() as cursor:
            cursor.execute(statements.select_newer)
            positions = cursor.fetchall()
        run_statement(self._connection, statements.empty_keys)
        keys = list(rows)
        return {keys[position]: rows[keys[position]] for (position,) in positions}


def _encode_keys(rows: RowsByKey) -> Iterable[bytes]:
    for position, (key, row) in enumerate(rows.items()):
        yield _encoder.encode((extract_version(row), *split_item_key(key), position))
