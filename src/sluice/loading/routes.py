"""The ways of plain rows into a table.

Rows beyond the high-water mark replace what is there, in one statement. The others are late: they go through a stage
and a merge that compares versions; where a sample says that most have lost already, their keys are compared first.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from sluice.database import Connection
from sluice.loading.apply import Tally
from sluice.loading.plain import PlainPart
from sluice.loading.plain_rows import SEPARATOR, Rows, version_of
from sluice.loading.staging import fill, merge, run
from sluice.loading.statements import Statements

# Fewer late rows are merged as they are; of more, so many are looked up to see what is best done with the rest.
SAMPLE = 64

_encoder = msgspec.json.Encoder()


class Routes:
    """Applies plain rows over one connection, within the transaction that is open on it.

    Its methods raise RowsRefused when the database does not take a row as it is, and pymysql's errors.
    """

    def __init__(self, connection: Connection, statements: Mapping[str, Statements]) -> None:
        self._connection = connection
        self._statements = statements
        self._made: set[str] = set()
        self._touched: dict[str, set[int]] = {}

    def apply(self, collection: str, part: PlainPart, mark: str, before: str) -> Tally:
        """Apply the rows of a collection, with the mark and with the newest version of this load's parts before."""
        rows, touched = part.rows[collection], self._touched.setdefault(collection, set())
        hashes = set(map(hash, rows))
        # That two keys may have one hash costs no more than a comparison.
        again = touched & hashes
        touched |= hashes
        newer, late = sorted(rows), Rows()
        if part.eldest <= max(mark, before):
            late = {
                key: rows[key]
                for key in newer
                if (version := version_of(rows[key])) <= mark or (version <= before and hash(key) in again)
            }
            newer = [key for key in newer if key not in late]
        tally = Tally(applied=len(newer))
        if newer:
            fill(self._connection, self._statements[collection].replace, (rows[key] for key in newer), len(newer))
        if late:
            self._merge(self._statements[collection], collection, late, tally)
        return tally

    def _merge(self, statements: Statements, collection: str, rows: Rows, tally: Tally) -> None:
        came = len(rows)
        if collection not in self._made:
            run(self._connection, statements.make)
            run(self._connection, statements.make_keys)
            self._made.add(collection)
        if came > SAMPLE and self._mostly_lost(statements, rows):
            rows = self._without_lost(statements, rows)
        applied = 0
        if rows:
            fill(self._connection, statements.fill, rows.values(), len(rows))
            applied = merge(self._connection, statements.merge)
            run(self._connection, statements.empty)
        tally.applied += applied
        tally.stale += came - applied

    def _mostly_lost(self, statements: Statements, rows: Rows) -> bool:
        sample = dict(islice(rows.items(), 0, None, len(rows) // SAMPLE))
        return 2 * len(self._without_lost(statements, sample)) < len(sample)

    def _without_lost(self, statements: Statements, rows: Rows) -> Rows:
        """Leave out rows whose item has this version or a later one. Versions only grow: no lock is needed to know."""
        fill(self._connection, statements.fill_keys, _keys(rows), len(rows))
        with self._connection.cursor() as cursor:
            cursor.execute(statements.wanted)
            wanted = cursor.fetchall()
        run(self._connection, statements.empty_keys)
        keys = list(rows)
        return {keys[place]: rows[keys[place]] for (place,) in wanted}


def _keys(rows: Rows) -> Iterable[bytes]:
    for place, (key, text) in enumerate(rows.items()):
        yield _encoder.encode((version_of(text), *key.split(SEPARATOR, 1), place))
