"""What tables hold, in numbers. Tables are named as SQL takes them; every function raises pymysql's errors."""

from sluice.migrating.execution import Executor

_SUMS = ("applied", "stale", "rejected")


def rows(executor: Executor, table: str) -> dict[str, int]:
    """How many items a collection's table has, and how many tombstones."""
    [(count, deleted)] = executor.run(f"SELECT COUNT(*), COALESCE(SUM(deleted), 0) FROM {table}")  # noqa: S608
    return {"rows": int(count) - int(deleted), "deleted": int(deleted)}


def sums(executor: Executor, ledger: str) -> dict[str, int]:
    """How many batches a ledger has, and what they came to."""
    wanted = ", ".join(f"COALESCE(SUM({name}), 0)" for name in _SUMS)
    [found] = executor.run(f"SELECT COUNT(*), {wanted} FROM {ledger}")  # noqa: S608
    return dict(zip(("loaded", *_SUMS), map(int, found), strict=True))
