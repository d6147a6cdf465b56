"""Decide about every difference: allowed, refused with a sentence, or left unchanged with a notice. Needs no database.

A refusal names the table and the field, what would be lost or broken, and what to do instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sluice.model.columns import ColumnType
from sluice.schema.column_types import ColumnShape
from sluice.schema.diff import (
    ChangedColumn,
    ChangedScope,
    Difference,
    MissingColumn,
    UnmanagedColumn,
    UnmanagedIndex,
    UnmanagedTable,
)

# Older writes and rows must stay valid: a change may not require what they lack.
_ALLOWED_PRESENCE_CHANGES = {"required": {"default", "optional"}, "default": {"optional"}, "optional": set[str]()}


@dataclass(frozen=True)
class Judgement:
    """The allowed differences in their order, and a sentence for each refusal and each notice."""

    allowed: tuple[Difference, ...]
    refusals: tuple[str, ...]
    notices: tuple[str, ...]


def judge_differences(differences: Iterable[Difference]) -> Judgement:
    """Judge all differences, and report every refusal, not only the first."""
    differences = list(differences)
    key_columns = {
        (change.table, name)
        for change in _find_key_changes(differences)
        for name in (change.before.comment, change.after.comment)
    }
    allowed: list[Difference] = []
    refusals: list[str] = []
    notices: list[str] = []
    for difference in differences:
        if (
            isinstance(difference, MissingColumn | UnmanagedColumn)
            and (difference.table, difference.column) in key_columns
        ):
            continue  # a consequence of the key change, which has its own refusal
        if notice := _describe_notice(difference):
            notices.append(notice)
        elif refusal := _describe_refusal(difference):
            refusals.append(refusal)
        else:
            allowed.append(difference)
    return Judgement(tuple(allowed), tuple(refusals), tuple(notices))


def _find_key_changes(differences: Iterable[Difference]) -> list[ChangedColumn]:
    changes = (d for d in differences if isinstance(d, ChangedColumn) and d.column == "id")
    return [change for change in changes if change.before.comment != change.after.comment]


def _describe_notice(difference: Difference) -> str | None:
    match difference:
        case UnmanagedTable(table):
            return f"The table {table} belongs to no resource; it is left unchanged."
        case UnmanagedColumn(table, column, before) if not before.is_field:
            return f"The column {table}.{column} was not created by a migration; it is left unchanged."
        case UnmanagedIndex(table, index, unique=True):
            return (
                f"The index {index} of {table} was not created by a migration and is unique: a load replaces any row "
                f"with the same value, also another item's. Drop it (ALTER TABLE {table} DROP INDEX {index}), and "
                "rebuild."
            )
        case UnmanagedIndex(table, index):
            return f"The index {index} of {table} was not created by a migration; it is left unchanged."
    return None


def _describe_refusal(difference: Difference) -> str | None:
    match difference:
        case UnmanagedColumn(table, column):
            return _refuse_removed_field(table, column)
        case MissingColumn(table, column, after) if after.comment == "required" or not after.nullable:
            return _refuse_new_required_field(table, column)
        case ChangedScope(table, before, after):
            return _refuse_changed_scope(table, before, after)
        case ChangedColumn(table, "id", before, after) if before.comment != after.comment:
            return _refuse_changed_key(table, before.comment, after.comment)
        case ChangedColumn(table, column, before, after):
            return _describe_column_refusal(f"{table}.{column}", before, after)
    return None


def _describe_column_refusal(name: str, before: ColumnShape, after: ColumnShape) -> str | None:
    if before.type != after.type and not is_widening(before.type, after.type):
        return _refuse_changed_type(name, before.type, after.type)
    if before.collation != after.collation:
        return _refuse_changed_collation(name, before.collation, after.collation)
    if before.nullable and not after.nullable:
        return _refuse_changed_nulls(name)
    if before.comment != after.comment and after.comment not in _ALLOWED_PRESENCE_CHANGES.get(before.comment or "", ()):
        return _refuse_changed_presence(name, before.comment, after.comment)
    return None


def is_widening(before: ColumnType, after: ColumnType) -> bool:
    """Whether every value stored as `before` keeps its value when it is stored as `after`."""
    match before.name, after.name:
        case "VARCHAR", "VARCHAR":
            return (after.length or 0) >= (before.length or 0)
        case "VARCHAR", "MEDIUMTEXT":
            return True
        case "DECIMAL", "DECIMAL":
            return _scale(after) >= _scale(before) and _integer_digits(after) >= _integer_digits(before)
    return before == after


def _scale(type_: ColumnType) -> int:
    return type_.scale or 0


def _integer_digits(type_: ColumnType) -> int:
    return (type_.precision or 0) - _scale(type_)


def _refuse_removed_field(table: str, field: str) -> str:
    return (
        f"{table}.{field} is no longer a field, and the values in its column would be lost: keep it as an optional "
        f"field, or drop the column by hand when nobody needs its values (ALTER TABLE {table} DROP COLUMN {field})."
    )


def _refuse_new_required_field(table: str, field: str) -> str:
    return (
        f"{table}.{field} is a new required field, but existing rows and older writes lack it: give it a default or "
        f"make it optional."
    )


def _refuse_changed_type(name: str, before: ColumnType, after: ColumnType) -> str:
    if before.name == after.name:
        return (
            f"{name} is narrowed from {before.ddl} to {after.ddl}, and longer stored values would be cut: "
            f"keep {before.ddl}, or add a new field beside it."
        )
    return (
        f"{name} changes its type from {before.ddl} to {after.ddl}, and stored values could be lost or altered: keep "
        f"{before.ddl}, or add a new field beside it."
    )


def _refuse_changed_collation(name: str, before: str | None, after: str | None) -> str:
    return (
        f"{name} has the collation {before} in the database instead of {after}, so that texts would compare "
        f"differently from what the API promises: convert the column by hand."
    )


def _refuse_changed_nulls(name: str) -> str:
    return (
        f"{name} allows NULL in the database. The service never stores NULL there, so NOT NULL could fail on existing "
        f"rows: set it NOT NULL by hand."
    )


def _refuse_changed_presence(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return (
            f"{name} is a column that was not created by a migration, and the service does not know its values: give "
            f"the field another name, or rename the column by hand."
        )
    if after == "default":
        return (
            f"{name} changes from optional to a default, but older writes may contain null for it, which would become "
            f"invalid: keep it optional."
        )
    return (
        f"{name} becomes required, but existing rows and older writes may lack it: keep it "
        f"{'optional' if before == 'optional' else 'with a default'}."
    )


def _refuse_changed_scope(table: str, before: str | None, after: str | None) -> str:
    if before == "private":
        consequence = "everyone could read what only its owner may read"
    elif before == "shared":
        consequence = "no owner could reach the existing items, because they have no owner"
    else:
        consequence = "it is unknown whose items the table holds"
    return (
        f"{table} changes from {before or 'a table not created by a migration'} to {after}, and {consequence}: keep it "
        f"{before or 'unchanged'}, or declare a new collection under another name."
    )


def _refuse_changed_key(table: str, before: str | None, after: str | None) -> str:
    return (
        f"{table} changes its key from {before} to {after}, and the ids of existing items and of older writes would no "
        f"longer identify them: keep the key, or declare a new collection under another name."
    )
