"""Why a migration failed, in one sentence that an operator reads in CloudFormation's events."""

import botocore.exceptions
import pymysql
from pymysql.constants import ER

from sluice.faults import AccessDenied, DatabaseAway, SchemaBehind, TryAgain, meaning

STATEMENT_TIMEOUT = 1969  # max_statement_time is over


class MigrationFailed(Exception):  # noqa: N818
    """Carries the sentence."""


class MigrationRefused(MigrationFailed):
    """Carries every refusal's sentence; nothing was changed."""

    def __init__(self, refusals: tuple[str, ...]) -> None:
        super().__init__(" ".join(("Nothing was changed.", *refusals)))
        self.refusals = refusals


def sentence(error: BaseException, doing: str = "migrate the database") -> str:
    """Say what failed. Never quotes a statement, a credential or data."""
    if isinstance(error, MigrationFailed):
        return str(error)
    if isinstance(error, pymysql.Error) and error.args and error.args[0] == STATEMENT_TIMEOUT:
        return f"Could not {doing} in the time that the function has; raise its timeout and deploy again."
    fault = meaning(error) if isinstance(error, pymysql.Error | OSError) else error
    match fault:
        case AccessDenied():
            return f"Could not {doing}: the database does not accept the admin's credentials ({fault})."
        case DatabaseAway():
            return f"Could not {doing}: the database cannot be reached or does not take changes now ({fault})."
        case TryAgain():
            return f"Could not {doing}: a load held the table for too long ({fault}); deploy again."
        case SchemaBehind():
            return f"Could not {doing}: the schema was changed meanwhile ({fault}); deploy again."
    if isinstance(error, pymysql.Error):
        return f"Could not {doing}: {_server_words(error)}."
    if isinstance(error, botocore.exceptions.ClientError):
        code = error.response.get("Error", {}).get("Code", "unknown")
        return f"Could not {doing}: AWS answered {code} to {error.operation_name}."
    if isinstance(error, TypeError | RuntimeError | ImportError):
        return f"Could not {doing}: {error}."  # a resource class that cannot be served, or settings that are missing
    return f"Could not {doing}: {type(error).__name__}; the function's log says where."


def _server_words(error: pymysql.Error) -> str:
    # What is about a row may quote it; what is about the statement names tables and columns only.
    if isinstance(error, pymysql.err.OperationalError | pymysql.err.ProgrammingError | pymysql.err.InternalError):
        code, words = (*error.args, "")[:2]
        if code not in (ER.PARSE_ERROR,):
            return f"MariaDB says {str(words).rstrip('.')} ({code})"
    return f"MariaDB answers {type(error).__name__} {error.args[0] if error.args else ''}".rstrip()
