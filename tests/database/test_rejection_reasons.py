"""The reasons of rejected writes, as clients read them: the field and the problem, without the name of a table."""

from typing import Any

import msgspec
import pytest

from sluice.load.load_data import describe_rejection
from tests.database.deployed import Root
from tests.database.rig import Rig
from tests.database.things import put


def read_reason(rig: Rig, data: bytes) -> str:
    """Load one write with this data, and return its reason."""
    write = put({"label": "x"})
    write.data = msgspec.Raw(data)
    assert rig.load(write).rejected == 1
    [row] = rig.rows("SELECT reason FROM rejected_writes WHERE version = %s", write.version)
    return str(row["reason"])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"label":"%b"}' % (b"x" * 41), "label: Does not fit"),
        (b'{"label":"x","count":9223372036854775808}', "count: Out of range value"),
        (b'{"label":"x","price":"0.0001"}', "price: Does not fit"),
        (b'{"label":"x","price":"many"}', "price: Incorrect decimal value: 'many'"),
        (b'{"label":"x","token":"`a`.`b`"}', "token: Incorrect uuid value: '`a`.`b`'"),
    ],
)
def test_values_that_the_stage_refuses(rig: Rig, data: bytes, expected: str) -> None:
    assert read_reason(rig, data) == expected


def test_values_that_the_loader_refuses(rig: Rig) -> None:
    assert read_reason(rig, b'{"label":"x","day":"2024-02-30"}') == "Expected a date such as 2026-12-24 for day"


TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


@pytest.mark.parametrize(
    ("change", "more", "expected"),
    [
        ("MODIFY label VARCHAR(5)", b"", "label: Data too long"),
        ("MODIFY count TINYINT", b"", "count: Out of range value"),
        ("MODIFY note VARCHAR(20) NOT NULL", b"", "note: Must have a value"),
        ("ADD CONSTRAINT rich CHECK (price > 5)", b"", "rich: Fails the check of this name"),
        ("MODIFY count BIGINT CHECK (count < 5)", b"", "count: Fails the check of this name"),
        ("ADD FOREIGN KEY (label) REFERENCES pairs (one)", b"", "label: Refers to something that is not there"),
        (
            "ADD FOREIGN KEY (label, note) REFERENCES pairs (one, other)",
            b',"note":"n"',
            "label: Refers to something that is not there",
        ),
    ],
)
def test_values_that_only_the_table_refuses(rig: Rig, change: str, more: bytes, expected: str) -> None:
    rig.rows(f"CREATE TABLE pairs (one VARCHAR(40) {TEXT}, other VARCHAR(20) {TEXT}, KEY (one, other)) ENGINE=InnoDB")
    rig.rows(f"ALTER TABLE things {change}")
    assert read_reason(rig, b'{"label":"Lovelace","count":300%b}' % more) == expected


def test_the_message_of_a_trigger_is_the_reason(rig: Rig, root: Root, database: str) -> None:
    root.run(
        f"CREATE TRIGGER {database}.nobody BEFORE INSERT ON {database}.things FOR EACH ROW "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'No bookings in August'"
    )
    assert read_reason(rig, b'{"label":"x"}') == "No bookings in August"


@pytest.mark.parametrize(
    ("complaint", "expected"),
    [
        (
            "Incorrect integer value: 'it's ''me' for column `s`.`t`.`count` at row 12",
            "count: Incorrect integer value: 'it's ''me'",
        ),
        (
            "Incorrect date value: 'x' for column `a`.`b`.`c`' for column `s`.`stage_things`.`day` at row 1",
            "day: Incorrect date value: 'x' for column `a`.`b`.`c`'",
        ),
        ("Incorrect string value: 'a\nb' for column `s`.`t`.`label` at row 1", "label: Incorrect string value: 'a\nb'"),
        ("Something new about `s`.`stage_things` and `label` at row 3", "Something new about … and …"),
        ("Row 1 was truncated", "Row 1 was truncated"),
        ("Duplicate entry 'Ada' for key 'by_label'", "Duplicate entry 'Ada' for key 'by_label'"),
    ],
)
def test_messages_of_a_database(complaint: str, expected: str) -> None:
    assert describe_rejection(complaint) == expected


def test_many_rejected_writes_have_a_reason_each(rig: Rig) -> None:
    writes = [put({"label": "x"}) for _ in range(3)]
    for write, data in zip(writes, (b'{"label":"x","price":"a"}', b'{"label":"%b"}' % (b"y" * 41)), strict=False):
        write.data = msgspec.Raw(data)
    assert rig.load(*writes).rejected == 2
    rejected: list[dict[str, Any]] = rig.rows("SELECT line, reason FROM rejected_writes ORDER BY line")
    assert [row["reason"] for row in rejected] == ["price: Incorrect decimal value: 'a'", "label: Does not fit"]
