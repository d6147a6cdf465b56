"""Change a table, also when that takes longer than the function may run.

The server executes a statement to its end even when the connection breaks, unless `max_statement_time` ends it. So an
online change goes on in the database after the function has ended, and the next migration finds it done. Until then the
lost connection holds the migration lock. A change that copies the table makes loads wait. If that takes longer than the
function may run, it is refused before it starts, unless the deployment allows it.
"""

import pymysql
from pymysql.constants import CR

from sluice.db.errors import get_error_number
from sluice.errors import MigrationFailed
from sluice.schema.ddl_executor import STATEMENT_TIMEOUT, Executor, Statement

# From the least to the most disturbing. INSTANT changes no row. INPLACE lets loads and reads continue. COPY (a text
# that becomes MEDIUMTEXT, a wider DECIMAL) lets reads continue and makes loads wait.
_ONLINE_ALGORITHMS = ("ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE")
_COPY = "ALGORITHM=COPY, LOCK=SHARED"
# ER_ALTER_OPERATION_NOT_SUPPORTED and its _REASON. PyMySQL has no names for them.
_UNSUPPORTED_ALGORITHM = {1845, 1846}

# Less than a quarter of what bench/long_changes.py measured (ADR-0107): the disk of a small instance is slower. A copy
# that is slower still ends with the function's time.
COPY_BYTES_PER_SECOND = 5_000_000


def describe_long_copy(executor: Executor, schema: str, statement: Statement) -> str | None:
    """Say why a change that copies its table does not fit into the remaining time; None if it fits.

    The time is estimated from the size of the table and its indexes, as the server's statistics give it.
    """
    rows = executor.run(
        "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
        (schema, statement.table),
    )
    size = int(rows[0][0] or 0) if rows else 0
    seconds = size / COPY_BYTES_PER_SECOND
    if seconds <= executor.remaining_seconds():
        return None
    return _describe_refusal(statement, f"may take {_format_minutes(seconds)} for its {size / 1e9:.1f} GB")


def alter_table(executor: Executor, schema: str, statement: Statement, *, allow_long: bool) -> str:
    """Execute an ALTER with the least disturbing algorithm, and return its description with the algorithm.

    Raises MigrationFailed if it is refused, goes on in the database, or was ended with the function's time.
    """
    for algorithm in _ONLINE_ALGORITHMS:
        if _try_algorithm(executor, statement, algorithm, may_outlast=True):
            return f"{statement.description} ({algorithm})"
    # The check before the migration can be wrong about what copies: the server decides.
    if not allow_long and (refusal := describe_long_copy(executor, schema, statement)):
        raise MigrationFailed(refusal)
    if _try_algorithm(executor, statement, _COPY, may_outlast=allow_long):
        return f"{statement.description} ({_COPY})"
    raise MigrationFailed(f"MariaDB has no algorithm to {statement.description}.")


def _try_algorithm(executor: Executor, statement: Statement, algorithm: str, *, may_outlast: bool) -> bool:
    """Whether the change is made. False if the server does not support the algorithm for it; that takes no time."""
    try:
        executor.run_until_deadline(f"{statement.sql}, {algorithm}", may_outlast=may_outlast)
    except pymysql.Error as error:
        number = get_error_number(error)
        if number in _UNSUPPORTED_ALGORITHM:
            return False
        if may_outlast and number == CR.CR_SERVER_LOST and isinstance(error.__context__, TimeoutError):
            raise MigrationFailed(_describe_outlasting(statement)) from None
        if number == STATEMENT_TIMEOUT:
            refusal = _describe_refusal(statement, "took longer than the function may run, so it was ended")
            raise MigrationFailed(refusal) from None
        raise
    return True


def _describe_refusal(statement: Statement, problem: str) -> str:
    return (
        f"This change copies its table, makes loads wait, and {problem}: {statement.description}. Deploy with "
        f"LongChanges=run, so that it goes on in the database after the function has ended, or execute it by hand and "
        f"deploy again: {statement.sql}, {_COPY};"
    )


def _describe_outlasting(statement: Statement) -> str:
    return (
        f"This change takes longer than the function may run and goes on in the database: {statement.description}. "
        f"Deploy again after it."
    )


def _format_minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
