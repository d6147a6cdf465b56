"""The loader broken on purpose, each way in what it takes to converge: a proof must notice every one."""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from sluice.db.connection import Connection
from sluice.errors import RowsRejected
from sluice.load import batch_pass as passes
from sluice.load import ledger
from sluice.load import load_data as staging
from sluice.load.fast import fast_rows as plain_rows
from sluice.load.fast.fast_writer import FastWriter
from sluice.load.high_water_mark import HighWaterMark
from sluice.load.load_data import LoadStatements, build_load_statements
from sluice.load.load_types import ApplyResult
from sluice.load.strict import strict_rows as rows
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


def last_come_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_merge(
        monkeypatch, lambda merge: re.sub(r"IF\(VALUES\(version\) > \S+, (VALUES\(`\w+`\)), \S+\)", r"\1", merge)
    )


def first_come_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_merge(monkeypatch, lambda merge: merge.replace(" > ", " < "))


def version_set_before_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(merge: str) -> str:
        start, updates = merge.split("ON DUPLICATE KEY UPDATE ")
        first, last = updates.rsplit(", `version` = ", 1)
        return f"{start}ON DUPLICATE KEY UPDATE `version` = {last}, {first}"

    _with_merge(monkeypatch, moved)


def last_line_of_a_batch_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    class AlwaysLess(str):
        def __lt__(self, other: object) -> bool:
            return True

    monkeypatch.setattr(
        "sluice.load.strict.strict_reader.StrictRow",
        lambda version, line, fields: StrictRow(AlwaysLess(version), line, fields),
    )


def last_line_of_a_plain_batch_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> plain_rows.RenderLines:
        render = plain_rows.create_fast_renderer(resource)

        def one_by_one(lines: Iterable[plain_rows.FastLine], found: plain_rows.RowsByKey, escapes: bool) -> int:
            for line in lines:
                alone: plain_rows.RowsByKey = {}
                render([line], alone, escapes)
                found.update(alone)
            return 0

        return one_by_one

    monkeypatch.setattr("sluice.load.fast.fast_reader.create_fast_renderer", renderer)


def deletes_leave_no_tombstone(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: StrictWriter, collection: str, found: Mapping[bytes, StrictRow]) -> ApplyResult:
        tally = apply(self, collection, found)
        staging.run_statement(self._connection, f"DELETE FROM {collection} WHERE deleted")
        return tally

    def plainly_forgetful(self: FastWriter, collection: str, *given: Any) -> ApplyResult:
        tally = apply_plain(self, collection, *given)
        staging.run_statement(self._connection, f"DELETE FROM {collection} WHERE deleted")
        return tally

    apply, apply_plain = StrictWriter.apply_rows, FastWriter.apply_rows
    monkeypatch.setattr(StrictWriter, "apply_rows", forgetful)
    monkeypatch.setattr(FastWriter, "apply_rows", plainly_forgetful)


def deletes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> rows.RenderLine:
        render = rows.create_strict_renderer(resource)

        def without_deletes(line: StrictLine) -> bytes:
            if line.operation == "delete":
                raise ValueError("no deletes")
            return render(line)

        return without_deletes

    monkeypatch.setattr("sluice.load.strict.strict_reader.create_strict_renderer", renderer)


def plain_deletes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> plain_rows.RenderLines:
        render = plain_rows.create_fast_renderer(resource)

        def without_deletes(lines: Iterable[plain_rows.FastLine], found: plain_rows.RowsByKey, escapes: bool) -> int:
            return render([line for line in lines if line.operation != "delete"], found, escapes)

        return without_deletes

    monkeypatch.setattr("sluice.load.fast.fast_reader.create_fast_renderer", renderer)


def the_mark_is_not_minded(monkeypatch: pytest.MonkeyPatch) -> None:
    acquire_lock = HighWaterMark.acquire_lock

    def blind(self: HighWaterMark, newest_version: str, oldest_version: str, *, exclusive: bool) -> str:
        acquire_lock(self, newest_version, oldest_version, exclusive=exclusive)
        return ""

    monkeypatch.setattr(HighWaterMark, "acquire_lock", blind)


def the_mark_is_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HighWaterMark, "advance", lambda _self, _newest: None)


def nobody_loads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(self: HighWaterMark) -> str:
        return self._read_mark("")

    monkeypatch.setattr(HighWaterMark, "_lock_exclusively", unlocked)


def what_lost_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.load.fast.fast_writer.SAMPLE_SIZE", 0)
    monkeypatch.setattr(FastWriter, "_is_mostly_stale", lambda *_: True)
    monkeypatch.setattr(FastWriter, "_drop_stale_rows", lambda *_: {})


def ledger_lets_a_batch_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = ledger.enter_batch
    monkeypatch.setattr(ledger, "enter_batch", lambda *batch: enter(*batch) or True)


def ledger_is_committed_before_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = ledger.enter_batch

    def hasty(connection: Connection, key: str, etag: str) -> bool:
        entered = enter(connection, key, etag)
        _commit(connection)
        connection.begin()
        return entered

    monkeypatch.setattr(ledger, "enter_batch", hasty)


def rows_are_committed_before_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
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
    """Without the mishaps that lie in wait at the loader's own commit."""
    with connection.cursor() as cursor:
        cursor.execute("COMMIT")


def warnings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(connection: Connection, statement: str, found: Any, expected: int) -> None:
        with contextlib.suppress(RowsRejected):
            staging.load_rows(connection, statement, found, expected)

    monkeypatch.setattr("sluice.load.strict.strict_writer.load_rows", careless)
    monkeypatch.setattr("sluice.load.fast.fast_writer.load_rows", careless)


def rejects_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "store_rejected_writes", lambda *_: None)


def a_reject_hides_an_earlier_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "_rejected_items", lambda _refused: frozenset())


WAYS = [
    last_come_wins,
    first_come_wins,
    version_set_before_the_rest,
    last_line_of_a_batch_wins,
    last_line_of_a_plain_batch_wins,
    deletes_leave_no_tombstone,
    deletes_are_left_out,
    plain_deletes_are_left_out,
    the_mark_is_not_minded,
    the_mark_is_not_moved,
    nobody_loads_alone,
    what_lost_is_guessed,
    ledger_lets_a_batch_in_again,
    ledger_is_committed_before_the_rows,
    rows_are_committed_before_the_ledger,
    warnings_are_ignored,
    rejects_are_not_kept,
    a_reject_hides_an_earlier_write,
]
