"""Normalized statements: the same for all values, different when a value breaks out of its place."""

import pytest

from testkit.attack.sql_log import normalize_statement

ASKED = "SELECT id FROM `airports` WHERE owner = '' AND country = {} ORDER BY id LIMIT 21"


@pytest.mark.parametrize(
    "value",
    [
        "'PT'",
        "'O''Hare'",
        "'O\\'Hare'",
        "'a -- b'",
        "'a # b'",
        "'\\\\'",
        "'/* a */'",
        '"it\'s"',
        "12",
        "0x41",
        "1.5e-3",
    ],
)
def test_values_do_not_change_the_normalized_statement(value: str) -> None:
    assert normalize_statement(ASKED.format(value)) == normalize_statement(ASKED.format("'IS'"))


@pytest.mark.parametrize(
    "value",
    ["'PT' OR 1=1", "'' OR ''=''", "'PT'--  ", "'PT' /* a */", "'PT' UNION SELECT 1", "'PT'; DROP TABLE a", "SLEEP(5)"],
)
def test_a_value_that_breaks_out_changes_the_normalized_statement(value: str) -> None:
    assert normalize_statement(ASKED.format(value)) != normalize_statement(ASKED.format("'IS'"))


def test_the_number_of_rows_and_values_does_not_change_the_normalized_statement() -> None:
    rows = "INSERT INTO a (b, c) VALUES {}"
    assert normalize_statement(rows.format("(1, 'a')")) == normalize_statement(
        rows.format("(1, 'a'), (2, 'b'),\n(3, 'c')")
    )
    assert normalize_statement("SELECT 1 WHERE a IN (1, 2, 3)") == normalize_statement("SELECT 1 WHERE a IN (1)")
