"""The form of a statement: the same for all values, another when a value breaks out of its place."""

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
def test_values_make_no_other_form(value: str) -> None:
    assert normalize_statement(ASKED.format(value)) == normalize_statement(ASKED.format("'IS'"))


@pytest.mark.parametrize(
    "value",
    ["'PT' OR 1=1", "'' OR ''=''", "'PT'--  ", "'PT' /* a */", "'PT' UNION SELECT 1", "'PT'; DROP TABLE a", "SLEEP(5)"],
)
def test_what_breaks_out_does(value: str) -> None:
    assert normalize_statement(ASKED.format(value)) != normalize_statement(ASKED.format("'IS'"))


def test_the_number_of_rows_and_values_is_no_other_form() -> None:
    rows = "INSERT INTO a (b, c) VALUES {}"
    assert normalize_statement(rows.format("(1, 'a')")) == normalize_statement(
        rows.format("(1, 'a'), (2, 'b'),\n(3, 'c')")
    )
    assert normalize_statement("SELECT 1 WHERE a IN (1, 2, 3)") == normalize_statement("SELECT 1 WHERE a IN (1)")
