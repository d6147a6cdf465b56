"""The loader, broken on purpose: each function breaks one thing that convergence needs, and the search must find it."""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from sluice.db.connection import Connection
from sluice.errors import RowsRejected
from sluice.load import batch_pass, ledger, load_data
from sluice.load.fast import fast_rows
from sluice.load.fast.fast_writer import FastWriter
from sluice.load.high_water_mark import HighWaterMark
from sluice.load.load_data import LoadStatements, build_load_statements
from sluice.load.load_types import ApplyResult
from sluice.load.strict import strict_rows
from sluice.load.strict.strict_reader import StrictRow
from sluice.load.strict.strict_rows import StrictLine
from sluice.load.strict.strict_writer import StrictWriter
from sluice.model.resource import Resource


def _with_merge(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    def changed(resource: Resource) -> LoadStatements:
        good = build_load_statements(resource)
        merge = change(good.merge_stage)
        assert merge != good.merge_stage
        return replace(good, merge_stage=merge)

    monkeypatch.setattr("sluice.load.loader.build_load_statements", changed)


def the_last_merged_row_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_merge(
        monkeypatch, lambda merge: re.sub(r"IF\(VALUES\(version\) > \S+, (VALUES\(`\w+`\)), \S+\)", r"\1", merge)
    )


def the_first_merged_row_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_merge(monkeypatch, lambda merge: merge.replace(" > ", " < "))


def the_version_is_set_before_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(merge: str) -> str:
        start, updates = merge.split("ON DUPLICATE KEY UPDATE ")
        first, last = updates.rsplit(", `version` = ", 1)
        return f"{start}ON DUPLICATE KEY UPDATE `version` = {last}, {first}"

    _with_merge(monkeypatch, moved)


def the_last_line_wins_in_the_strict_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    class AlwaysLess(str):
        def __lt__(self, other: object) -> bool:
            return True

    monkeypatch.setattr(
        "sluice.load.strict.strict_reader.StrictRow",
        lambda version, line, fields: StrictRow(AlwaysLess(version), line, fields),
    )


def the_last_line_wins_in_the_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> fast_rows.RenderLines:
        render = fast_rows.create_fast_renderer(resource)

        def one_by_one(lines: Iterable[fast_rows.FastLine], rows: fast_rows.RowsByKey, has_escapes: bool) -> int:
            for line in lines:
                single: fast_rows.RowsByKey = {}
                render([line], single, has_escapes)
                rows.update(single)
            return 0

        return one_by_one

    monkeypatch.setattr("sluice.load.fast.fast_reader.create_fast_renderer", renderer)


def deletes_leave_no_tombstone(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: StrictWriter, collection: str, rows: Mapping[bytes, StrictRow]) -> ApplyResult:
        result = apply(self, collection, rows)
        load_data.run_statement(self._connection, f"DELETE FROM {collection} WHERE deleted")
        return result

    def forgetful_fast(self: FastWriter, collection: str, *arguments: Any) -> ApplyResult:
        result = apply_fast(self, collection, *arguments)
        load_data.run_statement(self._connection, f"DELETE FROM {collection} WHERE deleted")
        return result

    apply, apply_fast = StrictWriter.apply_rows, FastWriter.apply_rows
    monkeypatch.setattr(StrictWriter, "apply_rows", forgetful)
    monkeypatch.setattr(FastWriter, "apply_rows", forgetful_fast)


def deletes_are_dropped_by_the_strict_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> strict_rows.RenderLine:
        render = strict_rows.create_strict_renderer(resource)

        def without_deletes(line: StrictLine) -> bytes:
            if line.operation == "delete":
                raise ValueError("no deletes")
            return render(line)

        return without_deletes

    monkeypatch.setattr("sluice.load.strict.strict_reader.create_strict_renderer", renderer)


def deletes_are_dropped_by_the_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> fast_rows.RenderLines:
        render = fast_rows.create_fast_renderer(resource)

        def without_deletes(lines: Iterable[fast_rows.FastLine], rows: fast_rows.RowsByKey, has_escapes: bool) -> int:
            return render([line for line in lines if line.operation != "delete"], rows, has_escapes)

        return without_deletes

    monkeypatch.setattr("sluice.load.fast.fast_reader.create_fast_renderer", renderer)


def the_mark_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    acquire_lock = HighWaterMark.acquire_lock

    def blind(self: HighWaterMark, newest_version: str, oldest_version: str, *, exclusive: bool) -> str:
        acquire_lock(self, newest_version, oldest_version, exclusive=exclusive)
        return ""

    monkeypatch.setattr(HighWaterMark, "acquire_lock", blind)


def the_mark_is_not_advanced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HighWaterMark, "advance", lambda _self, _newest: None)


def no_load_is_exclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(self: HighWaterMark) -> str:
        return self._read_mark("")

    monkeypatch.setattr(HighWaterMark, "_lock_exclusively", unlocked)


def stale_rows_are_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.load.fast.fast_writer.SAMPLE_SIZE", 0)
    monkeypatch.setattr(FastWriter, "_is_mostly_stale", lambda *_: True)
    monkeypatch.setattr(FastWriter, "_drop_stale_rows", lambda *_: {})


def the_ledger_accepts_a_batch_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = ledger.enter_batch
    monkeypatch.setattr(ledger, "enter_batch", lambda *batch: enter(*batch) or True)


def the_ledger_is_committed_before_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = ledger.enter_batch

    def hasty(connection: Connection, key: str, etag: str) -> bool:
        entered = enter(connection, key, etag)
        _commit(connection)
        connection.begin()
        return entered

    monkeypatch.setattr(ledger, "enter_batch", hasty)


def the_rows_are_committed_before_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = ledger.complete_batch

    def late(connection: Connection, key: str, etag: str, counts: tuple[int, int, int], duration_ms: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM loaded_batches WHERE object_key = %s AND etag = %s", (key, etag))
        _commit(connection)
        connection.begin()
        with contextlib.suppress(pymysql.IntegrityError):
            ledger.enter_batch(connection, key, etag)
        complete(connection, key, etag, counts, duration_ms)

    monkeypatch.setattr(ledger, "complete_batch", late)


def _commit(connection: Connection) -> None:
    """Commit without the mishap that a test planned for the loader's own commit."""
    with connection.cursor() as cursor:
        cursor.execute("COMMIT")


def warnings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(connection: Connection, statement: str, rows: Any, expected: int) -> None:
        with contextlib.suppress(RowsRejected):
            load_data.load_rows(connection, statement, rows, expected)

    monkeypatch.setattr("sluice.load.strict.strict_writer.load_rows", careless)
    monkeypatch.setattr("sluice.load.fast.fast_writer.load_rows", careless)


def rejected_writes_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "store_rejected_writes", lambda *_: None)


def a_rejected_write_hides_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_pass, "_rejected_items", lambda _rejected: frozenset())


WAYS = [
    the_last_merged_row_wins,
    the_first_merged_row_wins,
    the_version_is_set_before_the_rest,
    the_last_line_wins_in_the_strict_engine,
    the_last_line_wins_in_the_fast_engine,
    deletes_leave_no_tombstone,
    deletes_are_dropped_by_the_strict_engine,
    deletes_are_dropped_by_the_fast_engine,
    the_mark_is_ignored,
    the_mark_is_not_advanced,
    no_load_is_exclusive,
    stale_rows_are_guessed,
    the_ledger_accepts_a_batch_twice,
    the_ledger_is_committed_before_the_rows,
    the_rows_are_committed_before_the_ledger,
    warnings_are_ignored,
    rejected_writes_are_not_stored,
    a_rejected_write_hides_an_earlier_one,
]
