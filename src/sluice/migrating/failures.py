"""Why a migration failed, in one sentence that an operator reads in CloudFormation's events."""

import botocore.exceptions
import msgspec
import pymysql
from pymysql.constants import ER

from sluice.aws.faults import AwsError, ConnectionFault
from sluice.faults import AccessDenied, DatabaseAway, SchemaBehind, TryAgain, meaning, number

STATEMENT_TIMEOUT = 1969  # max_statement_time is over

_FAULTS: dict[type[Exception], str] = {
    AccessDenied: "the database does not accept the admin's credentials, or does not allow the admin this",
    DatabaseAway: "the database cannot be reached, or takes no changes now",
    TryAgain: "a load held a table for too long; deploy again",
    SchemaBehind: "the schema was changed meanwhile; deploy again",
}


class MigrationFailed(Exception):  # noqa: N818
    """Carries the sentence."""


class MigrationRefused(MigrationFailed):
    """Carries every refusal's sentence; nothing was changed."""

    def __init__(self, refusals: tuple[str, ...]) -> None:
        super().__init__(" ".join(("Nothing was changed.", *refusals)))
        self.refusals = refusals


class CannotRebuild(MigrationFailed):
    """A rebuild cannot begin or end here; the live tables are as they were."""


def sentence(error: BaseException, doing: str = "migrate the database") -> str:
    """Say what failed. Never quotes a statement, a credential or data."""
    if isinstance(error, MigrationFailed):
        return str(error)
    # A secret that could not be read is the database away to a client, and something else to mend for an operator.
    cause = error.__cause__ if isinstance(error.__cause__, AwsError) else error
    return f"Could not {doing}: {_why(cause)}."


def _why(error: BaseException) -> str:
    match error:
        case AccessDenied() | DatabaseAway() | TryAgain() | SchemaBehind():
            why = f"{_FAULTS[type(error)]} ({error})"
        case ConnectionFault():
            why = f"AWS could not be asked for a secret ({error.code})"
        case AwsError():
            why = f"AWS answered {error.code} to {error.operation}"
        case botocore.exceptions.ClientError():
            why = f"AWS answered {error.response.get('Error', {}).get('Code', 'an error')} to {error.operation_name}"
        case botocore.exceptions.BotoCoreError():
            why = f"AWS could not be asked for a secret ({type(error).__name__})"
        case pymysql.Error() | OSError() if number(error) == STATEMENT_TIMEOUT:
            why = "it took longer than the function may; raise its timeout and deploy again"
        case pymysql.Error() | OSError():
            fault = meaning(error)
            why = _why(fault) if fault else _server_words(error)
        case msgspec.MsgspecError():
            why = "a database secret is not a JSON object with username and password"
        case TypeError() | RuntimeError() | ImportError() | SyntaxError() | NameError():
            # A resource that cannot be served, a setting or a layer that is missing: these name no data.
            why = str(error)
        case _:
            why = f"{type(error).__name__}; the function's log says where"
    return why


def _server_words(error: Exception) -> str:
    # What is about a row may quote it; what is about a table names tables and columns only.
    code, words, *_ = (*error.args, "", "")
    about_rows = isinstance(error, pymysql.DataError | pymysql.IntegrityError) or code == ER.PARSE_ERROR
    return f"MariaDB answered {type(error).__name__} {code}" + ("" if about_rows else f": {str(words).rstrip('.')}")
