"""The state of the live database that a restored copy has to reach, read in one consistent snapshot."""

import datetime
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import pymysql
from pymysql.cursors import SSCursor

from sluice.db.connection import Connection, Database
from sluice.db.errors import classify_error
from sluice.db.moment import MOMENT_NAME, parse_moment
from sluice.model.exclusions import EXCLUSION_COLUMNS, decode_exclusion_rows
from sluice.model.resource import Resource
from sluice.proof.fingerprint import Fingerprint, read_fingerprint
from sluice.schema.shadow import REBUILD_MARK

Key = TypeVar("Key", bound=tuple[Any, ...])

# Keys of batches and of rejected writes that a state lists. Their numbers are always complete.
SAMPLE_SIZE = 20
# A load that was not yet committed when the backup was made can have a time in the ledger that is this much earlier.
COMMIT_TOLERANCE = datetime.timedelta(minutes=10)

_LEDGER = "SELECT object_key, etag, loaded_at FROM loaded_batches ORDER BY object_key, etag"
# The reason, the object key and the line are those of the last load, so they can differ.
_REJECTED_WRITES = (
    "SELECT version, collection, owner, id, MD5(`write`) FROM rejected_writes ORDER BY version, collection, owner, id"
)


class LedgerEntry(msgspec.Struct, frozen=True):
    """A batch in a ledger."""

    key: str
    etag: str


class Tail(msgspec.Struct):
    """What the live database has and the copy lacks: entries of the ledger, and rejected writes.

    A rejected write is its version, collection, owner and id, and the digest of its text.
    """

    batches: list[LedgerEntry] = []
    rejected_writes: list[tuple[str, ...]] = []


class MarkedState(msgspec.Struct, kw_only=True):
    """What the marks and the exclusions of a database say about its history."""

    moment: str
    high_water: str
    rebuild: str
    exclusions: list[str]


class LiveState(msgspec.Struct, kw_only=True):
    """The state of the live database at `marks.moment`, and how the copy differed then.

    `batches` and `rejected_writes` count those of the live database. `lost` are batches that the copy's ledger lacks
    although they were loaded before the backup was made; `extra` are those that only the copy's ledger has.
    """

    marks: MarkedState
    copied_marks: MarkedState
    batches: int = 0
    rejected_writes: int = 0
    lost: int = 0
    lost_sample: list[str] = []
    extra: int = 0
    extra_sample: list[str] = []
    fingerprints: dict[str, Fingerprint] = {}


@dataclass(frozen=True)
class Servers:
    """A live server and the one with the copy."""

    live: Database
    copy: Database


def read_live_state(servers: Servers, resources: Mapping[str, Resource]) -> tuple[LiveState, Tail]:
    """Read the state of the live database, and what the copy lacks of it. It takes as long as a scan of all tables.

    Raises the database errors of `sluice.errors`.
    """
    with open_snapshot(servers.live) as live, open_snapshot(servers.copy) as copy:
        state = LiveState(marks=_read_marks(live), copied_marks=_read_marks(copy))
        tail = Tail(_compare_ledgers(live, copy, state), _compare_rejected_writes(live, copy, state))
        state.fingerprints = {name: read_fingerprint(live, resource) for name, resource in sorted(resources.items())}
        return state, tail


@contextmanager
def open_snapshot(database: Database) -> Iterator[Connection]:
    """A connection whose statements all see the same state. Raises the database errors of `sluice.errors`."""
    try:
        connection = database.get_live_connection()
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield connection
    except (pymysql.Error, OSError) as error:
        raise (classify_error(error) or error) from None
    finally:
        database.drop_connection()


def _read_marks(connection: Connection) -> MarkedState:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, version FROM marks")
        marks = {str(name): str(version) for name, version in cursor.fetchall()}
        cursor.execute(f"SELECT {EXCLUSION_COLUMNS} FROM exclusions")  # noqa: S608
        exclusions = decode_exclusion_rows(cursor.fetchall())
    return MarkedState(
        moment=marks.get(MOMENT_NAME, ""),
        high_water=marks.get("high_water", ""),
        rebuild=marks.get(REBUILD_MARK, ""),
        exclusions=sorted(exclusion.execution for exclusion in exclusions),
    )


def _compare_ledgers(live: Connection, copy: Connection, state: LiveState) -> list[LedgerEntry]:
    missing: list[LedgerEntry] = []
    backup_time = _earliest_uncommitted(state.copied_marks.moment)
    with closing(_stream(live, _LEDGER)) as live_rows, closing(_stream(copy, _LEDGER)) as copied_rows:
        for live_row, copied_row in pair_rows(live_rows, copied_rows, key_length=2):
            state.batches += live_row is not None
            if live_row and not copied_row:
                missing.append(LedgerEntry(*live_row[:2]))
                if backup_time and live_row[2] < backup_time:
                    state.lost += 1
                    state.lost_sample = [*state.lost_sample, live_row[0]][:SAMPLE_SIZE]
            elif copied_row and not live_row:
                state.extra += 1
                state.extra_sample = [*state.extra_sample, copied_row[0]][:SAMPLE_SIZE]
    return missing


def _earliest_uncommitted(moment: str) -> datetime.datetime | None:
    return parse_moment(moment).replace(tzinfo=None) - COMMIT_TOLERANCE if moment else None


def _compare_rejected_writes(live: Connection, copy: Connection, state: LiveState) -> list[tuple[str, ...]]:
    """An operator may have dropped rejected writes since the backup, so those that only the copy has do not count."""
    missing: list[tuple[str, ...]] = []
    with closing(_stream(live, _REJECTED_WRITES)) as live_rows, closing(_stream(copy, _REJECTED_WRITES)) as copied_rows:
        for live_row, copied_row in pair_rows(live_rows, copied_rows, key_length=4):
            state.rejected_writes += live_row is not None
            if live_row and live_row != copied_row:
                missing.append(tuple(map(str, live_row)))
    return missing


def _stream(connection: Connection, statement: str) -> Generator[tuple[Any, ...]]:
    with connection.cursor(SSCursor) as cursor:
        cursor.execute(statement)
        yield from cursor


def pair_rows(left: Iterator[Key], right: Iterator[Key], key_length: int) -> Iterator[tuple[Key | None, Key | None]]:
    """Pair the rows of two sorted streams that begin with the same key. A row without a partner is paired with None."""
    left_row, right_row = next(left, None), next(right, None)
    while left_row is not None or right_row is not None:
        left_key = left_row[:key_length] if left_row else None
        right_key = right_row[:key_length] if right_row else None
        if right_key is None or (left_key is not None and left_key < right_key):
            yield left_row, None
            left_row = next(left, None)
        elif left_key is None or right_key < left_key:
            yield None, right_row
            right_row = next(right, None)
        else:
            yield left_row, right_row
            left_row, right_row = next(left, None), next(right, None)
