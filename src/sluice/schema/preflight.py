"""Checks before a migration or a rebuild: the key of API Gateway's cache, and objects that somebody created by hand."""

from collections.abc import Collection, Iterable, Sequence

from sluice.errors import MigrationRefused, RebuildRefused
from sluice.model.list_parameters import QUERY_PARAMETER_PREFIX, list_parameter_names
from sluice.model.resource import Resource
from sluice.schema.ddl_executor import Executor


def check_cached_parameters(cache_key: Collection[str], resources: Iterable[Resource]) -> None:
    """Check that the key of API Gateway's cache has every query parameter of the lists.

    API Gateway ignores the other parameters: it would answer one filter with the cached list of another. Raises
    MigrationRefused.
    """
    missing = sorted({f"{QUERY_PARAMETER_PREFIX}{name}" for name in list_parameter_names(resources)} - set(cache_key))
    if missing:
        refusal = (
            "The key of API Gateway's cache lacks query parameters of lists, so that a client could get the cached "
            f"list of another query: {', '.join(missing)}. Write api.json again with `python -m tools.api_definition`, "
            "build and deploy again, or deploy with ApiCacheSize=off."
        )
        raise MigrationRefused((refusal,))


def check_rebuildable(executor: Executor, schema: str, tables: Sequence[str]) -> None:
    """Check that nobody added an object by hand that a rebuild would lose or that would make it wrong.

    Raises RebuildRefused, and pymysql's errors.
    """
    placeholders = f"({', '.join(['%s'] * len(tables))})"
    if tied := _find_tied_objects(executor, schema, tables, placeholders):
        raise RebuildRefused(
            f"No migration created {' and '.join(tied)}, and a rebuild cannot carry it over: drop it, and create it "
            "again afterwards."
        )
    if unique := _find_unique_indexes(executor, schema, tables, placeholders):
        raise RebuildRefused(
            f"No migration created {' and '.join(unique)}, which is unique: the new tables would lose items with equal "
            "values. Drop it."
        )


def _find_tied_objects(executor: Executor, schema: str, tables: Sequence[str], placeholders: str) -> list[str]:
    """Triggers prevent a table's move to another schema. Foreign keys would reference the retained tables."""
    rows = executor.run(
        "SELECT 'trigger', trigger_name, event_object_table FROM information_schema.triggers "  # noqa: S608
        f"WHERE event_object_schema = %s AND event_object_table IN {placeholders} UNION ALL "
        "SELECT 'foreign key', constraint_name, table_name FROM information_schema.referential_constraints "
        f"WHERE (constraint_schema = %s AND table_name IN {placeholders}) "
        f"OR (unique_constraint_schema = %s AND referenced_table_name IN {placeholders})",
        (schema, *tables) * 3,
    )
    return [f"the {kind} {name} of {table}" for kind, name, table in rows]


def _find_unique_indexes(executor: Executor, schema: str, tables: Sequence[str], placeholders: str) -> list[str]:
    """With a unique index, a load replaces any row with the same value, also another item's."""
    rows = executor.run(
        "SELECT DISTINCT index_name, table_name FROM information_schema.statistics "  # noqa: S608
        f"WHERE table_schema = %s AND table_name IN {placeholders} AND non_unique = 0 AND index_name <> 'PRIMARY'",
        (schema, *tables),
    )
    return [f"the index {name} of {table}" for name, table in rows]
