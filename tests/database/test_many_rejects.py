"""100,000 writes with some bad ones: each is rejected with its reason, in few statements."""

import math
import random
from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from local.database import DatabaseServers
from sluice.db.connection import Connection
from sluice.errors import RowsRejected
from sluice.load import load_data
from sluice.model.record import encode_write
from tests.database.awkward import thing
from tests.database.rig import Rig
from tests.database.things import put

ROWS = 100_000
COUNTED = ("load", "insert_select", "savepoint", "rollback_to_savepoint", "show_warnings", "get_diagnostics")

# Members of a write's data, and what the reason must mention.
BAD: list[tuple[bytes, str]] = [
    (b'"label":"%b"' % (b"x" * 41), "label: "),
    (b'"label":"%b"' % ("é".encode() * 41), "label: "),
    (b'"note":"%b"' % (b"x" * 21), "note: "),
    (b'"count":9223372036854775808', "count: "),
    (b'"count":-9223372036854775809', "count: "),
    (b'"count":"many"', "integer for count"),
    (b'"count":1.5', "integer for count"),
    (b'"rank":99999999999999999999', "rank: "),
    (b'"ratio":1e400', "ratio: "),
    (b'"ratio":"x"', "number for ratio"),
    (b'"price":"1234567890.1"', "price: "),
    (b'"price":"0.0001"', "price: "),
    (b'"price":"x"', "price: "),
    (b'"amount":"1000000.00"', "amount: "),
    (b'"day":"2024-02-30"', " for day"),
    (b'"day":"0000-00-00"', " for day"),
    (b'"moment":"2024-01-01T25:00:00Z"', "moment: "),
    (b'"seen":"yesterday"', " for seen"),
    (b'"token":"x"', "token: "),
    (b'"colour":"purple"', "colour: "),
    (b'"done":"x"', "true or false for done"),
    (b'"tags":%b%b' % (b"[" * 40, b"]" * 40), "depth"),
    (b'"attributes":{"a":"\xff"}', "UTF-8"),
    (b'"label":["x"]', "text for label"),
]
TOO_LONG = msgspec.Raw(b"{%b}" % BAD[0][0])
STRANGER = (encode_write(put({"label": "x"})).replace(b'"things"', b'"strangers"'), "unknown collection")


def lines(bad: dict[int, bytes]) -> Iterator[bytes]:
    """Writes to different items, copied from one encoded write: encoding each would take longer than loading it."""
    sample = put({"label": "x"})
    before, middle, after = (
        encode_write(sample).replace(sample.id.encode(), sample.version.encode()).split(sample.version.encode())
    )
    version = sample.version[:20].encode()
    for number in range(ROWS):
        yield bad.get(number) or b"%b%b%06d%b00000000-0000-7000-8000-%012d%b" % (
            before, version, number, middle, number * 7919 % ROWS, after,
        )  # fmt: skip


@pytest.fixture
def sent(servers: DatabaseServers) -> Callable[[], dict[str, int]]:
    """Counts the statements of each kind that the primary received since the fixture began."""

    def total() -> dict[str, int]:
        with servers.primary.connect_as_root() as root, root.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Com\\_%%'")
            return {name.removeprefix("Com_"): int(value) for name, value in cursor.fetchall()}

    before = total()
    return lambda: {name: count - before[name] for name, count in total().items() if name in COUNTED}


def test_each_of_25_kinds_of_bad_rows_in_100_000_writes(
    rig: Rig, sent: Callable[[], dict[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [(encode_write(thing(members)), reason) for members, reason in BAD] + [STRANGER]
    places = random.Random(3).sample(range(ROWS), len(kinds))
    outcome = rig.load(*lines({place: line for place, (line, _) in zip(places, kinds, strict=True)}))
    counts = sent()
    with capsys.disabled():
        print(
            f"\n{len(kinds)} of {ROWS:,} writes bad, {outcome.duration_ms} ms: {counts}, in all {sum(counts.values())}"
        )
    assert (outcome.applied, outcome.stale, outcome.rejected) == (ROWS - 25, 0, 25)
    assert rig.rows("SELECT COUNT(*) AS n FROM things") == [{"n": ROWS - 25}]
    rejected_rows = {row["line"] - 1: row for row in rig.rows("SELECT line, reason, `write` FROM rejected_writes")}
    assert rejected_rows.keys() == set(places)
    for place, (line, reason) in zip(places, kinds, strict=True):
        assert reason in rejected_rows[place]["reason"]
        assert rejected_rows[place]["write"] == line.removesuffix(b"\n").decode(errors="backslashreplace")
    assert sum(counts.values()) <= len(kinds) * math.log2(ROWS)
    assert counts["load"] <= 2 * math.log2(ROWS)


@pytest.mark.parametrize("server_says", [True, False], ids=["the server names rows", "it names none"])
def test_more_bad_rows_than_the_server_keeps_warnings_of(
    rig: Rig, sent: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch, server_says: bool
) -> None:
    if not server_says:
        monkeypatch.setattr("sluice.load.load_data.collect_warnings", lambda *_: RowsRejected("refused"))
    writes = [put({"label": "x"}) for _ in range(2000)]
    bad = sorted(random.Random(4).sample(range(2000), 150))
    for at in bad:
        writes[at].data = TOO_LONG
    assert rig.load(*writes).rejected == 150
    assert [row["line"] - 1 for row in rig.rows("SELECT line FROM rejected_writes ORDER BY line")] == bad
    assert sent()["load"] <= (2 + 2 * 150 / 64 * 5 if server_says else 2 * 150 * math.log2(2000))


def test_a_batch_of_only_bad_rows_is_not_sent_too_often(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 warnings at a time would send the whole batch 78 times."""
    sizes: list[int] = []

    def counting_load_rows(connection: Connection, statement: str, rows: Iterable[bytes], expected: int) -> None:
        sizes.append(expected)
        load_data.load_rows(connection, statement, rows, expected)

    monkeypatch.setattr("sluice.load.strict.strict_writer.load_rows", counting_load_rows)
    writes = [put({"label": "x"}) for _ in range(5000)]
    for write in writes:
        write.data = TOO_LONG
    assert rig.load(*writes).rejected == 5000
    assert sum(sizes) <= 5000 * (math.log2(5000 / 64) + 3)


def test_a_good_row_that_the_server_names_is_loaded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load_data.collect_warnings

    def one_off(*arguments: object) -> RowsRejected:
        refused = real(*arguments)  # type: ignore[arg-type]
        return RowsRejected(refused.reason, {place + 1: reason for place, reason in refused.reasons.items()})

    monkeypatch.setattr(load_data, "collect_warnings", one_off)
    writes = [put({"label": "x"}) for _ in range(50)]
    for at in (10, 20, 49):
        writes[at].data = TOO_LONG
    assert rig.load(*writes).applied == 47
    assert [row["line"] for row in rig.rows("SELECT line FROM rejected_writes ORDER BY line")] == [11, 21, 50]
