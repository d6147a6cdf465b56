"""Judges every difference: allowed, refused with a sentence, or left alone with a notice. Knows no database."""

from collections.abc import Iterable
from dataclasses import dataclass

from sluice.migrating.differences import (
    ChangedColumn,
    ChangedScope,
    Difference,
    MissingColumn,
    StrayColumn,
    StrayIndex,
    StrayTable,
)
from sluice.migrating.refusals import (
    changed_collation,
    changed_key,
    changed_nulls,
    changed_presence,
    changed_scope,
    changed_type,
    new_required_field,
    removed_field,
)
from sluice.migrating.shapes import Shape
from sluice.migrating.widening import widens

# What older writes and rows bring must still be taken: nothing may be asked for that they lack.
_PRESENCE_MAY_BECOME = {"required": {"default", "optional"}, "default": {"optional"}, "optional": set[str]()}


@dataclass(frozen=True)
class Judgement:
    """The allowed differences in the order found, and a sentence for each refusal and each notice."""

    allowed: tuple[Difference, ...]
    refusals: tuple[str, ...]
    notices: tuple[str, ...]


def judge(differences: Iterable[Difference]) -> Judgement:
    """Judge all differences; every refusal is found, not only the first."""
    differences = list(differences)
    keys = {
        (change.table, name)
        for change in _new_keys(differences)
        for name in (change.before.comment, change.after.comment)
    }
    allowed: list[Difference] = []
    refusals: list[str] = []
    notices: list[str] = []
    for difference in differences:
        if isinstance(difference, MissingColumn | StrayColumn) and (difference.table, difference.column) in keys:
            continue  # follows from the key's change, which has its own sentence
        if notice := _notice(difference):
            notices.append(notice)
        elif refusal := _refusal(difference):
            refusals.append(refusal)
        else:
            allowed.append(difference)
    return Judgement(tuple(allowed), tuple(refusals), tuple(notices))


def _notice(difference: Difference) -> str | None:
    match difference:
        case StrayTable(table):
            return f"The table {table} belongs to no resource; it is left as it is."
        case StrayColumn(table, column, before) if not before.is_field:
            return f"The column {table}.{column} was not made by a migration; it is left as it is."
        case StrayIndex(table, index, unique=True):
            return (
                f"The index {index} of {table} was not made by a migration and is unique: a load replaces the "
                f"row in its way, also another item's. Drop it (ALTER TABLE {table} DROP INDEX {index}), and rebuild."
            )
        case StrayIndex(table, index):
            return f"The index {index} of {table} was not made by a migration; it is left as it is."
    return None


def _refusal(difference: Difference) -> str | None:
    match difference:
        case StrayColumn(table, column):
            return removed_field(table, column)
        case MissingColumn(table, column, after) if after.comment == "required" or not after.nullable:
            return new_required_field(table, column)
        case ChangedScope(table, before, after):
            return changed_scope(table, before, after)
        case ChangedColumn(table, "id", before, after) if before.comment != after.comment:
            return changed_key(table, before.comment, after.comment)
        case ChangedColumn(table, column, before, after):
            return _column_refusal(f"{table}.{column}", before, after)
    return None


def _column_refusal(name: str, before: Shape, after: Shape) -> str | None:
    if before.type != after.type and not widens(before.type, after.type):
        return changed_type(name, before.type, after.type)
    if before.collation != after.collation:
        return changed_collation(name, before.collation, after.collation)
    if before.nullable and not after.nullable:
        return changed_nulls(name)
    if before.comment != after.comment and after.comment not in _PRESENCE_MAY_BECOME.get(before.comment or "", ()):
        return changed_presence(name, before.comment, after.comment)
    return None


def _new_keys(differences: Iterable[Difference]) -> list[ChangedColumn]:
    changes = (d for d in differences if isinstance(d, ChangedColumn) and d.column == "id")
    return [change for change in changes if change.before.comment != change.after.comment]
