"""What somebody made by hand on the tables, and what makes a rebuild of them impossible or wrong."""

from collections.abc import Sequence

from sluice.migrating.execution import Executor
from sluice.migrating.failures import CannotRebuild


def refuse(executor: Executor, schema: str, tables: Sequence[str]) -> None:
    """Raises CannotRebuild where there is any of it, and pymysql's errors."""
    ours = f"({', '.join(['%s'] * len(tables))})"
    if found := _tied(executor, schema, tables, ours):
        raise CannotRebuild(
            f"There is {' and '.join(found)}, which no migration made and which a rebuild cannot carry over: "
            "drop it, and make it again afterwards."
        )
    if found := _unique(executor, schema, tables, ours):
        raise CannotRebuild(
            f"There is {' and '.join(found)}, which is unique: the new tables would lose the items that stand in its "
            "way. Drop it."
        )


def _tied(executor: Executor, schema: str, tables: Sequence[str], ours: str) -> list[str]:
    """A trigger keeps a table from changing its schema, and a foreign key would lead to the tables kept."""
    rows = executor.run(
        "SELECT 'trigger', trigger_name, event_object_table FROM information_schema.triggers "  # noqa: S608
        f"WHERE event_object_schema = %s AND event_object_table IN {ours} UNION ALL "
        "SELECT 'foreign key', constraint_name, table_name FROM information_schema.referential_constraints "
        f"WHERE (constraint_schema = %s AND table_name IN {ours}) "
        f"OR (unique_constraint_schema = %s AND referenced_table_name IN {ours})",
        (schema, *tables) * 3,
    )
    return [f"the {kind} {name} of {table}" for kind, name, table in rows]


def _unique(executor: Executor, schema: str, tables: Sequence[str], ours: str) -> list[str]:
    """A load replaces the row that stands in the way of its own, also another item's."""
    rows = executor.run(
        "SELECT DISTINCT index_name, table_name FROM information_schema.statistics "  # noqa: S608
        f"WHERE table_schema = %s AND table_name IN {ours} AND non_unique = 0 AND index_name <> 'PRIMARY'",
        (schema, *tables),
    )
    return [f"the index {name} of {table}" for name, table in rows]
