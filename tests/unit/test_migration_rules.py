"""Which differences are allowed, refused or left unchanged; without a database."""

import pytest

from sluice.model.columns import ColumnType
from sluice.schema.column_types import ColumnShape
from sluice.schema.ddl_executor import TEXT_COLLATION
from sluice.schema.diff import (
    ChangedColumn,
    ChangedScope,
    Difference,
    MissingColumn,
    MissingIndex,
    MissingTable,
    UnmanagedColumn,
    UnmanagedIndex,
    UnmanagedTable,
)
from sluice.schema.rules import is_widening, judge_differences

INT = ColumnType("BIGINT")


def varchar(length: int) -> ColumnType:
    return ColumnType("VARCHAR", length=length)


def decimal(precision: int, scale: int) -> ColumnType:
    return ColumnType("DECIMAL", precision=precision, scale=scale)


TEXTS = ColumnType("MEDIUMTEXT")


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        (varchar(9), varchar(9), True),
        (varchar(9), varchar(10), True),
        (varchar(9), varchar(8), False),
        (varchar(9), TEXTS, True),
        (TEXTS, varchar(512), False),
        (varchar(9), ColumnType("JSON"), False),
        (TEXTS, ColumnType("JSON"), False),
        (decimal(6, 2), decimal(6, 2), True),
        (decimal(6, 2), decimal(7, 2), True),
        (decimal(6, 2), decimal(7, 3), True),
        (decimal(6, 2), decimal(6, 3), False),
        (decimal(6, 2), decimal(9, 1), False),
        (INT, decimal(38, 0), False),
        (INT, ColumnType("DOUBLE"), False),
        (ColumnType("DATE"), ColumnType("DATETIME", precision=6), False),
        (ColumnType("BOOLEAN"), INT, False),
        (ColumnType("UUID"), varchar(36), False),
    ],
)
def test_a_type_widens_another_when_it_holds_every_value(before: ColumnType, after: ColumnType, wider: bool) -> None:
    assert is_widening(before, after) is wider


def field(
    presence: str, type_: ColumnType = INT, *, nullable: bool = True, collation: str | None = None
) -> ColumnShape:
    return ColumnShape(type_, collation, nullable, presence)


ALLOWED: list[Difference] = [
    MissingTable("t"),
    MissingIndex("t", "i"),
    MissingColumn("t", "c", field("optional")),
    MissingColumn("t", "c", field("default")),
    ChangedColumn("t", "c", field("required"), field("default")),
    ChangedColumn("t", "c", field("required"), field("optional")),
    ChangedColumn("t", "c", field("default"), field("optional")),
    ChangedColumn("t", "c", field("optional", nullable=False), field("optional")),
    ChangedColumn("t", "c", field("required", varchar(1)), field("optional", TEXTS)),
]


@pytest.mark.parametrize("difference", ALLOWED, ids=str)
def test_a_change_that_loses_nothing_is_allowed(difference: Difference) -> None:
    judgement = judge_differences([difference])
    assert (judgement.allowed, judgement.refusals, judgement.notices) == ((difference,), (), ())


REFUSED: list[tuple[Difference, str]] = [
    (UnmanagedColumn("t", "c", field("optional")), "t.c is no longer a field"),
    (UnmanagedColumn("t", "c", field("required")), "t.c is no longer a field"),
    (MissingColumn("t", "c", field("required")), "t.c is a new required field"),
    (MissingColumn("t", "version", ColumnShape(INT, nullable=False)), "t.version is a new required field"),
    (ChangedColumn("t", "c", field("optional"), field("required")), "t.c becomes required"),
    (ChangedColumn("t", "c", field("default"), field("required")), "t.c becomes required"),
    (ChangedColumn("t", "c", field("optional"), field("default")), "t.c changes from optional to a default"),
    (
        ChangedColumn("t", "c", ColumnShape(INT), field("optional")),
        "t.c is a column that was not created by a migration",
    ),
    (ChangedColumn("t", "version", ColumnShape(INT), ColumnShape(INT, nullable=False)), "t.version allows NULL"),
    (ChangedColumn("t", "c", field("optional", INT), field("optional", TEXTS)), "t.c changes its type"),
    (ChangedColumn("t", "c", field("optional", TEXTS), field("optional", varchar(9))), "t.c changes its type"),
    (ChangedColumn("t", "c", field("default", varchar(9)), field("default", varchar(8))), "t.c is narrowed"),
    (
        ChangedColumn("t", "c", field("default", collation="latin1_bin"), field("default", collation=TEXT_COLLATION)),
        "t.c has the collation latin1_bin",
    ),
    (ChangedScope("t", "private", "shared"), "t changes from private to shared"),
    (ChangedScope("t", "shared", "private"), "t changes from shared to private"),
    (ChangedScope("t", None, "private"), "t changes from a table not created by a migration to private"),
    (
        ChangedColumn("t", "id", ColumnShape(INT, comment="a"), ColumnShape(INT, comment="b")),
        "t changes its key from a to b",
    ),
]


@pytest.mark.parametrize(("difference", "beginning"), REFUSED, ids=str)
def test_a_change_that_loses_or_breaks_data_is_refused(difference: Difference, beginning: str) -> None:
    judgement = judge_differences([difference])
    assert (judgement.allowed, judgement.notices) == ((), ())
    [sentence] = judgement.refusals
    assert sentence.startswith(beginning)
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    "difference", [UnmanagedTable("t"), UnmanagedColumn("t", "c", ColumnShape(INT)), UnmanagedIndex("t", "i")], ids=str
)
def test_objects_that_no_migration_created_stay_unchanged(difference: Difference) -> None:
    judgement = judge_differences([difference])
    assert (judgement.allowed, judgement.refusals) == ((), ())
    [notice] = judgement.notices
    assert notice.endswith("it is left unchanged.")


def test_every_refusal_is_reported_together_with_allowed_changes() -> None:
    judgement = judge_differences([*ALLOWED, *(difference for difference, _ in REFUSED), UnmanagedTable("t")])
    assert len(judgement.refusals) == len(REFUSED)
    assert judgement.allowed == tuple(ALLOWED)


def test_a_key_change_hides_its_consequences_in_its_own_table_only() -> None:
    judgement = judge_differences(
        [
            ChangedColumn("t", "id", ColumnShape(INT, comment="a"), ColumnShape(INT, comment="b")),
            UnmanagedColumn("t", "b", field("required")),
            MissingColumn("t", "a", field("required")),
            UnmanagedColumn("u", "b", field("required")),
        ]
    )
    assert [sentence.split()[0] for sentence in judgement.refusals] == ["t", "u.b"]
