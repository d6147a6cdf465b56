"""Checks before a migration or a rebuild: the API's definition, and objects that somebody created by hand."""

from collections.abc import Iterable, Mapping, Sequence

from sluice.errors import MigrationRefused, RebuildRefused
from sluice.model.api_digest import digest_collections
from sluice.model.resource import Resource
from sluice.schema.ddl_executor import Executor


def check_api_definition(digests: Mapping[str, str], resources: Iterable[Resource]) -> None:
    """Check that the API's definition was written from these resource classes. `digests` says what it contains.

    Another definition would lack a route, or would cache an answer for callers that may not see it, or for another
    query. Raises MigrationRefused.
    """
    expected = digest_collections(resources)
    differing = sorted(name for name in {*expected, *digests} if digests.get(name) != expected.get(name))
    if differing:
        refusal = (
            f"The API definition was not written from these resource classes: it differs in {', '.join(differing)}. "
            "Write it again with `python -m tools.api_definition`, build and deploy again."
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
