"""Checks before a migration or a rebuild: API Gateway's cache keys, and objects that somebody made by hand."""

from collections.abc import Collection, Iterable, Sequence

from sluice.errors import MigrationRefused, RebuildRefused
from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import Resource
from sluice.schema.ddl_executor import Executor

# As API Gateway and the template name a parameter of a query.
QUERY_PARAMETER_PREFIX = "method.request.querystring."


def check_cached_parameters(told: Collection[str], resources: Iterable[Resource]) -> None:
    """Raises MigrationRefused where lists can be asked for a parameter that the cache was not `told` of."""
    lacking = sorted({f"{QUERY_PARAMETER_PREFIX}{name}" for name in list_parameter_names(resources)} - set(told))
    if lacking:
        refusal = (
            "Lists can be asked for more than API Gateway's cache tells apart, so that one would be given to whoever "
            f"asks for another: add {', '.join(lacking)} to RequestParameters of GetFunction and to ListParameters of "
            "Migration in template.yaml, or deploy with ApiCacheSize=off."
        )
        raise MigrationRefused((refusal,))


def check_rebuildable(executor: Executor, schema: str, tables: Sequence[str]) -> None:
    """Raises RebuildRefused where there is any of it, and pymysql's errors."""
    ours = f"({', '.join(['%s'] * len(tables))})"
    if found := _find_tied_objects(executor, schema, tables, ours):
        raise RebuildRefused(
            f"There is {' and '.join(found)}, which no migration made and which a rebuild cannot carry over: "
            "drop it, and make it again afterwards."
        )
    if found := _find_unique_indexes(executor, schema, tables, ours):
        raise RebuildRefused(
            f"There is {' and '.join(found)}, which is unique: the new tables would lose the items that stand in its "
            "way. Drop it."
        )


def _find_tied_objects(executor: Executor, schema: str, tables: Sequence[str], ours: str) -> list[str]:
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


def _find_unique_indexes(executor: Executor, schema: str, tables: Sequence[str], ours: str) -> list[str]:
    """A load replaces the row that stands in the way of its own, also another item's."""
    rows = executor.run(
        "SELECT DISTINCT index_name, table_name FROM information_schema.statistics "  # noqa: S608
        f"WHERE table_schema = %s AND table_name IN {ours} AND non_unique = 0 AND index_name <> 'PRIMARY'",
        (schema, *tables),
    )
    return [f"the index {name} of {table}" for name, table in rows]
