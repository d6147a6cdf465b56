"""The schemas beside the live one: the shadow that a rebuild fills, and those that rebuilds kept."""

import datetime
import re
from collections.abc import Iterable

# The service's own tables that a rebuild makes anew with the collections: what they hold is about the rows.
SERVICE_TABLES = ("loaded_batches", "rejected_writes", "marks", "exclusions")


def migration_lock_name(schema: str) -> str:
    """The server's lock that whoever changes tables or users of `schema` holds."""
    return f"sluice {schema}"[:64]


def shadow_schema_name(schema: str) -> str:
    """The schema that a rebuild of `schema` fills."""
    return f"{schema}_rebuild"


def retained_schema_name(schema: str, moment: datetime.datetime) -> str:
    """The schema that keeps the tables which were in force until a moment."""
    return f"{schema}_until_{moment.astimezone(datetime.UTC):%Y%m%dT%H%M%S}"


def filter_retained_schemas(schema: str, names: Iterable[str]) -> list[str]:
    """Those of the names that are schemas kept of `schema`, the oldest first."""
    pattern = re.compile(rf"{re.escape(schema)}_until_\d{{8}}T\d{{6}}")
    return sorted(name for name in names if pattern.fullmatch(name))
