"""How many statements large batches, and bad rows in them, need."""

import msgspec
import pytest

from local.database import DatabaseServers
from tests.database.rig import Rig
from tests.database.things import put

ROWS = 4096
BAD = {"label": "x" * 41}


def sent(servers: DatabaseServers, statement: str) -> int:
    """How many statements of a kind the primary has received from all clients."""
    with servers.primary.connect_as_root() as root, root.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE %s", (f"Com_{statement}",))
        return int((cursor.fetchone() or ("", 0))[1])


def test_rows_of_more_bytes_than_a_packet_holds(rig: Rig) -> None:
    outcome = rig.load(*(put({"label": str(n), "story": "x" * 20_000}) for n in range(1000)))
    assert (outcome.applied, outcome.rejected) == (1000, 0)
    assert rig.rows("SELECT COUNT(*) AS n, MIN(LENGTH(story)) AS length FROM things") == [{"n": 1000, "length": 20_000}]


def test_a_good_batch_is_sent_once(rig: Rig, servers: DatabaseServers) -> None:
    before = sent(servers, "load")
    assert rig.load(*(put({"label": "x"}) for _ in range(100))).applied == 100
    assert sent(servers, "load") - before == 1


@pytest.mark.parametrize("at", [0, 1234, ROWS - 1])
def test_one_bad_row_is_rejected_in_few_statements(rig: Rig, servers: DatabaseServers, at: int) -> None:
    writes = [put({"label": "x"}) for _ in range(ROWS)]
    writes[at].data = msgspec.Raw(msgspec.json.encode(BAD))
    before = sent(servers, "load"), sent(servers, "insert_select")
    outcome = rig.load(*writes)
    assert (outcome.applied, outcome.rejected) == (ROWS - 1, 1)
    assert [row["line"] for row in rig.rows("SELECT line FROM rejected_writes")] == [at + 1]
    # Two parts in the fast engine; then in the strict one all rows, those without a warning, and the other one.
    assert sent(servers, "load") - before[0] <= 2 + 3
    assert sent(servers, "insert_select") - before[1] == 1


@pytest.mark.parametrize(
    "rule",
    [
        "ALTER TABLE things ADD CHECK (`count` < 5)",
        "ALTER TABLE things MODIFY `count` TINYINT",
        "CREATE TRIGGER few BEFORE INSERT ON things FOR EACH ROW IF NEW.count > 5 THEN SIGNAL SQLSTATE '45000'; END IF",
    ],
)
def test_rows_that_only_the_table_refuses_are_rejected_too(
    rig: Rig, servers: DatabaseServers, database: str, rule: str
) -> None:
    with servers.primary.connect_as_root() as root, root.cursor() as cursor:
        cursor.execute(f"USE {database}")
        cursor.execute(rule)
    writes = [put({"label": "x", "count": 300 if n == 7 else 1}) for n in range(20)]
    outcome = rig.load(*writes)
    assert (outcome.applied, outcome.rejected) == (19, 1)
    [row] = rig.rows("SELECT line, reason FROM rejected_writes")
    assert row["line"] == 8
    assert row["reason"]
