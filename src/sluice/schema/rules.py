"""Decide about every difference.

Allowed, refused with a sentence, or left as it is with a notice. Needs no database.
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

# What older writes and rows bring must still be taken: nothing may be asked for that they lack.
_PRESENCE_MAY_BECOME = {"required": {"default", "optional"}, "default": {"optional"}, "optional": set[str]()}


@dataclass(frozen=True)
class Judgement:
    """The allowed differences in the order found, and a sentence for each refusal and each notice."""

    allowed: tuple[Difference, ...]
    refusals: tuple[str, ...]
    notices: tuple[str, ...]


def judge_differences(differences: Iterable[Difference]) -> Judgement:
    """Judge all differences; every refusal is found, not only the first."""
    differences = list(differences)
    keys = {
        (change.table, name)
        for change in _find_key_changes(differences)
        for name in (change.before.comment, change.after.comment)
    }
    allowed: list[Difference] = []
    refusals: list[str] = []
    notices: list[str] = []
    for difference in differences:
        if isinstance(difference, MissingColumn | UnmanagedColumn) and (difference.table, difference.column) in keys:
            continue  # follows from the key's change, which has its own sentence
        if notice := _describe_notice(difference):
            notices.append(notice)
        elif refusal := _describe_refusal(difference):
            refusals.append(refusal)
        else:
            allowed.append(difference)
    return Judgement(tuple(allowed), tuple(refusals), tuple(notices))


def _describe_notice(difference: Difference) -> str | None:
    match difference:
        case UnmanagedTable(table):
            return f"The table {table} belongs to no resource; it is left as it is."
        case UnmanagedColumn(table, column, before) if not before.is_field:
            return f"The column {table}.{column} was not made by a migration; it is left as it is."
        case UnmanagedIndex(table, index, unique=True):
            return (
                f"The index {index} of {table} was not made by a migration and is unique: a load replaces the "
                f"row in its way, also another item's. Drop it (ALTER TABLE {table} DROP INDEX {index}), and rebuild."
            )
        case UnmanagedIndex(table, index):
            return f"The index {index} of {table} was not made by a migration; it is left as it is."
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
    if before.comment != after.comment and after.comment not in _PRESENCE_MAY_BECOME.get(before.comment or "", ()):
        return _refuse_changed_presence(name, before.comment, after.comment)
    return None


def _find_key_changes(differences: Iterable[Difference]) -> list[ChangedColumn]:
    changes = (d for d in differences if isinstance(d, ChangedColumn) and d.column == "id")
    return [change for change in changes if change.before.comment != change.after.comment]


def is_widening(before: ColumnType, after: ColumnType) -> bool:
    """Say whether every value stored as `before` stays the same when stored as `after`."""
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
        f"field, or drop the column by hand once its values may go (ALTER TABLE {table} DROP COLUMN {field})."
    )


def _refuse_new_required_field(table: str, field: str) -> str:
    return (
        f"{table}.{field} is a new required field, which the rows and older writes lack: give it a default or make "
        f"it optional."
    )


def _refuse_changed_type(name: str, before: ColumnType, after: ColumnType) -> str:
    if before.name == after.name:
        return (
            f"{name} is narrowed from {before.ddl} to {after.ddl}, and stored values that need the room would be cut: "
            f"keep {before.ddl}, or add a new field beside it."
        )
    return (
        f"{name} changes its type from {before.ddl} to {after.ddl}, and stored values could be lost or altered: keep "
        f"{before.ddl}, or add a new field beside it."
    )


def _refuse_changed_collation(name: str, before: str | None, after: str | None) -> str:
    return (
        f"{name} has the collation {before} in the database where {after} is needed, so that texts would compare "
        f"otherwise than the service says: convert the column by hand."
    )


def _refuse_changed_nulls(name: str) -> str:
    return (
        f"{name} may be NULL in the database, which the service never leaves it, so that forbidding it could break "
        f"on stored rows: set it NOT NULL by hand."
    )


def _refuse_changed_presence(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return (
            f"{name} is a column that was not made by a migration, and its values are unknown to the service: name "
            f"the field otherwise, or rename the column by hand."
        )
    if after == "default":
        return (
            f"{name} changes from optional to a default, but older writes may say that it is null, which would no "
            f"longer be taken: keep it optional."
        )
    return (
        f"{name} becomes required, but rows and older writes may lack it: keep it "
        f"{'optional' if before == 'optional' else 'with a default'}."
    )


def _refuse_changed_scope(table: str, before: str | None, after: str | None) -> str:
    if before == "private":
        broken = "everyone could read what only its owner may"
    elif before == "shared":
        broken = "no owner could reach the items that are there, because they belong to nobody"
    else:
        broken = "whose items the table holds is unknown"
    return (
        f"{table} changes from {before or 'a table not made by a migration'} to {after}, and {broken}: keep it "
        f"{before or 'as it is'}, or declare a new collection under another name."
    )


def _refuse_changed_key(table: str, before: str | None, after: str | None) -> str:
    return (
        f"{table} changes its key from {before} to {after}, and the ids of its items and of older writes would no "
        f"longer name them: keep the key, or declare a new collection under another name."
    )
