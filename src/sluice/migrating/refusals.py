"""The sentences of refusals: which collection and field, what would be lost or broken, and the way out."""

from sluice.columns import ColumnType


def removed_field(table: str, field: str) -> str:
    return (
        f"{table}.{field} is no longer a field, and the values in its column would be lost: keep it as an optional "
        f"field, or drop the column by hand once its values may go (ALTER TABLE {table} DROP COLUMN {field})."
    )


def new_required_field(table: str, field: str) -> str:
    return (
        f"{table}.{field} is a new required field, which the rows and older writes lack: give it a default or make "
        f"it optional."
    )


def changed_type(name: str, before: ColumnType, after: ColumnType) -> str:
    if before.name == after.name:
        return (
            f"{name} is narrowed from {before.ddl} to {after.ddl}, and stored values that need the room would be cut: "
            f"keep {before.ddl}, or add a new field beside it."
        )
    return (
        f"{name} changes its type from {before.ddl} to {after.ddl}, and stored values could be lost or altered: keep "
        f"{before.ddl}, or add a new field beside it."
    )


def changed_collation(name: str, before: str | None, after: str | None) -> str:
    return (
        f"{name} has the collation {before} in the database where {after} is needed, so that texts would compare "
        f"otherwise than the service says: convert the column by hand."
    )


def changed_nulls(name: str) -> str:
    return (
        f"{name} may be NULL in the database, which the service never leaves it, so that forbidding it could break "
        f"on stored rows: set it NOT NULL by hand."
    )


def changed_presence(name: str, before: str | None, after: str | None) -> str:
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


def changed_scope(table: str, before: str | None, after: str | None) -> str:
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


def changed_key(table: str, before: str | None, after: str | None) -> str:
    return (
        f"{table} changes its key from {before} to {after}, and the ids of its items and of older writes would no "
        f"longer name them: keep the key, or declare a new collection under another name."
    )
