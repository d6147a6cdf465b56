"""The loader broken on purpose, each way in what it takes to converge: a proof must notice every one."""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from sluice.database import Connection
from sluice.loading import ledger, passes, plain_rows, rows, staging
from sluice.loading.apply import Applier, Tally
from sluice.loading.latest import Row
from sluice.loading.mark import Mark
from sluice.loading.routes import Routes
from sluice.loading.shapes import Line
from sluice.loading.statements import Statements, statements
from sluice.resource import Resource


def _with_merge(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    def changed(resource: Resource) -> Statements:
        good = statements(resource)
        merge = change(good.merge)
        assert merge != good.merge
        return replace(good, merge=merge)

    monkeypatch.setattr("sluice.loading.load.statements", changed)


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
        "sluice.loading.latest.Row", lambda version, line, fields: Row(AlwaysLess(version), line, fields)
    )


def last_line_of_a_plain_batch_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> plain_rows.Render:
        render = plain_rows.renderer(resource)

        def one_by_one(lines: Iterable[plain_rows.Line], found: plain_rows.Rows, escapes: bool) -> int:
            for line in lines:
                alone: plain_rows.Rows = {}
                render([line], alone, escapes)
                found.update(alone)
            return 0

        return one_by_one

    monkeypatch.setattr("sluice.loading.plain.renderer", renderer)


def deletes_leave_no_tombstone(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Applier, collection: str, found: Mapping[bytes, Row]) -> Tally:
        tally = apply(self, collection, found)
        staging.run(self._connection, f"DELETE FROM {collection} WHERE deleted")
        return tally

    def plainly_forgetful(self: Routes, collection: str, *given: Any) -> Tally:
        tally = apply_plain(self, collection, *given)
        staging.run(self._connection, f"DELETE FROM {collection} WHERE deleted")
        return tally

    apply, apply_plain = Applier.apply, Routes.apply
    monkeypatch.setattr(Applier, "apply", forgetful)
    monkeypatch.setattr(Routes, "apply", plainly_forgetful)


def deletes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> rows.Render:
        render = rows.renderer(resource)

        def without_deletes(line: Line) -> bytes:
            if line.operation == "delete":
                raise ValueError("no deletes")
            return render(line)

        return without_deletes

    monkeypatch.setattr("sluice.loading.latest.renderer", renderer)


def plain_deletes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(resource: Resource) -> plain_rows.Render:
        render = plain_rows.renderer(resource)

        def without_deletes(lines: Iterable[plain_rows.Line], found: plain_rows.Rows, escapes: bool) -> int:
            return render([line for line in lines if line.operation != "delete"], found, escapes)

        return without_deletes

    monkeypatch.setattr("sluice.loading.plain.renderer", renderer)


def the_mark_is_not_minded(monkeypatch: pytest.MonkeyPatch) -> None:
    reach = Mark.reach

    def blind(self: Mark, newest: str, eldest: str, *, alone: bool) -> str:
        reach(self, newest, eldest, alone=alone)
        return ""

    monkeypatch.setattr(Mark, "reach", blind)


def the_mark_is_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mark, "move", lambda _self, _newest: None)


def nobody_loads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(self: Mark) -> str:
        return self._marked("")

    monkeypatch.setattr(Mark, "_taken", unlocked)


def what_lost_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.loading.routes.SAMPLE", 0)
    monkeypatch.setattr(Routes, "_mostly_lost", lambda *_: True)
    monkeypatch.setattr(Routes, "_without_lost", lambda *_: {})


def ledger_lets_a_batch_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = ledger.enter
    monkeypatch.setattr(ledger, "enter", lambda *batch: enter(*batch) or True)


def ledger_is_committed_before_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = ledger.enter

    def hasty(connection: Connection, key: str, etag: str) -> bool:
        entered = enter(connection, key, etag)
        _commit(connection)
        connection.begin()
        return entered

    monkeypatch.setattr(ledger, "enter", hasty)


def rows_are_committed_before_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = ledger.complete

    def late(connection: Connection, key: str, etag: str, counts: tuple[int, int, int], duration_ms: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM loaded_batches WHERE object_key = %s AND etag = %s", (key, etag))
        _commit(connection)
        connection.begin()
        with contextlib.suppress(pymysql.IntegrityError):
            ledger.enter(connection, key, etag)
        complete(connection, key, etag, counts, duration_ms)

    monkeypatch.setattr(ledger, "complete", late)


def _commit(connection: Connection) -> None:
    """Without the mishaps that lie in wait at the loader's own commit."""
    with connection.cursor() as cursor:
        cursor.execute("COMMIT")


def warnings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(connection: Connection, statement: str, found: Any, expected: int) -> None:
        with contextlib.suppress(staging.RowsRefused):
            staging.fill(connection, statement, found, expected)

    monkeypatch.setattr("sluice.loading.apply.fill", careless)
    monkeypatch.setattr("sluice.loading.routes.fill", careless)


def rejects_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "reject", lambda *_: None)


def a_reject_hides_an_earlier_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "_items", lambda _refused: frozenset())


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
