"""The tables that rebuilds kept: told, counted and dropped."""

from typing import Any

from sluice.migrating.execution import Executor
from sluice.migrating.failures import CannotRebuild
from sluice.migrating.schema import quoted
from sluice.migrating.swapping import Swap


def listed(executor: Executor, swap: Swap) -> list[dict[str, Any]]:
    """Every kept schema with its tables and their size in bytes, as the server guesses it. Raises pymysql's errors."""
    found = []
    for schema in swap.kept():
        rows = executor.run(
            "SELECT table_name, data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = %s ORDER BY table_name",
            (schema,),
        )
        found.append({"name": schema, "tables": [str(name) for name, _ in rows], "bytes": sum(int(n) for _, n in rows)})
    return found


def drop(executor: Executor, swap: Swap, name: str) -> None:
    """Drop a kept schema. Raises CannotRebuild when there is none of that name, and pymysql's errors."""
    if name not in swap.kept():
        raise CannotRebuild(f"There is no kept schema {name!r}; there are {', '.join(swap.kept()) or 'none'}.")
    executor.run(f"DROP DATABASE {quoted(name)}")
