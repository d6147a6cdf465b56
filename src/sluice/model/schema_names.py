"""Names of the tables and schemas of the service: the live schema, a rebuild's shadow, and the retained schemas."""

import datetime
import re
from collections.abc import Iterable

# The service's own tables that a rebuild builds again together with the collections.
SERVICE_TABLES = ("loaded_batches", "rejected_writes", "marks", "exclusions")


def migration_lock_name(schema: str) -> str:
    """The server's lock that guards changes of the tables and users of a schema."""
    return f"sluice {schema}"[:64]


def shadow_schema_name(schema: str) -> str:
    """The schema that a rebuild fills."""
    return f"{schema}_rebuild"


def retained_schema_name(schema: str, until: datetime.datetime) -> str:
    """The schema that retains the tables which were live until a moment."""
    return f"{schema}_until_{until.astimezone(datetime.UTC):%Y%m%dT%H%M%S}"


def filter_retained_schemas(schema: str, names: Iterable[str]) -> list[str]:
    """The names that are retained schemas of `schema`, the oldest first."""
    pattern = re.compile(rf"{re.escape(schema)}_until_\d{{8}}T\d{{6}}")
    return sorted(name for name in names if pattern.fullmatch(name))
