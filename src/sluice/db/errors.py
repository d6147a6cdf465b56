"""Classify the errors of the database as errors of this application, and redact the data that its messages quote."""

import re

import pymysql
from pymysql.constants import CR, ER

from sluice.errors import AccessDenied, DatabaseUnavailable, LockConflict, SchemaOutdated

# MariaDB's error numbers for which PyMySQL has no name.
READ_ONLY_MODE = 1836  # a read-only server refuses a statement
CONNECTION_KILLED = 1927
SERVER_NOT_READY = 1047
UNKNOWN_USER = 1698  # MariaDB reports an unknown user with this number or with ACCESS_DENIED_ERROR
TOO_MANY_PREPARED = 1461  # the server's limit of prepared statements is reached
CONNECTION_CLOSED = 0  # PyMySQL's InterfaceError for a closed connection
# Damaged files, https://mariadb.com/kb/en/mariadb-error-code-reference/: a table or its definition cannot be read.
INDEX_CORRUPT = 1712
TABLESPACE_MISSING = 1812
TABLESPACE_DISCARDED = 1814
TABLE_CORRUPT = 1877
ENGINE_READ_ONLY = 1874
NO_SUCH_TABLE_IN_ENGINE = 1932

_UNAVAILABLE = {
    CR.CR_CONNECTION_ERROR,
    CR.CR_CONN_HOST_ERROR,
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    CR.CR_SERVER_LOST_EXTENDED,
    CR.CR_UNKNOWN_HOST,
    CR.CR_SSL_CONNECTION_ERROR,
    ER.CON_COUNT_ERROR,
    ER.TOO_MANY_USER_CONNECTIONS,
    ER.USER_LIMIT_REACHED,
    ER.SERVER_SHUTDOWN,
    ER.HOST_IS_BLOCKED,
    ER.OPTION_PREVENTS_STATEMENT,
    ER.OPEN_AS_READONLY,
    ER.DISK_FULL,
    ER.ERROR_ON_WRITE,
    ER.RECORD_FILE_FULL,
    ER.NET_READ_ERROR,
    ER.NET_READ_INTERRUPTED,
    ER.NET_ERROR_ON_WRITE,
    ER.NET_WRITE_INTERRUPTED,
    ER.QUERY_INTERRUPTED,
    READ_ONLY_MODE,
    CONNECTION_KILLED,
    SERVER_NOT_READY,
    CONNECTION_CLOSED,
    ER.CANT_OPEN_FILE,
    ER.FILE_NOT_FOUND,
    ER.ERROR_ON_READ,
    ER.GET_ERRNO,
    ER.NOT_FORM_FILE,
    ER.NOT_KEYFILE,
    ER.OLD_KEYFILE,
    ER.UNEXPECTED_EOF,
    ER.CRASHED_ON_USAGE,
    ER.CRASHED_ON_REPAIR,
    ER.GET_ERRMSG,
    INDEX_CORRUPT,
    TABLESPACE_MISSING,
    TABLESPACE_DISCARDED,
    TABLE_CORRUPT,
    ENGINE_READ_ONLY,
    NO_SUCH_TABLE_IN_ENGINE,
}
_DISCONNECTED = {
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    CR.CR_SERVER_LOST_EXTENDED,
    CONNECTION_KILLED,
    CONNECTION_CLOSED,
}
# CHECKREAD: a row changed after the transaction's snapshot, with innodb_snapshot_isolation.
_LOCK_CONFLICT = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.CHECKREAD}
_ACCESS_DENIED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, UNKNOWN_USER}
# A migration creates the tables, the columns and the grants on them.
_SCHEMA_OUTDATED = {
    ER.NO_SUCH_TABLE,
    ER.BAD_FIELD_ERROR,
    ER.BAD_DB_ERROR,
    ER.NO_DEFAULT_FOR_FIELD,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.KEY_DOES_NOT_EXITS,
}
_CLASSES: tuple[tuple[set[int], type[Exception]], ...] = (
    (_LOCK_CONFLICT, LockConflict),
    (_ACCESS_DENIED, AccessDenied),
    (_SCHEMA_OUTDATED, SchemaOutdated),
    (_UNAVAILABLE, DatabaseUnavailable),
)

_QUOTED = re.compile(r"""'.*'|".*\"""", re.DOTALL)


def get_error_number(error: BaseException) -> int | None:
    """Return the number of an error, or None if it has none."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def is_disconnected(error: BaseException) -> bool:
    """Whether the connection had already ended before the statement, so that a new connection can help."""
    if isinstance(error.__context__, TimeoutError):
        return False  # the server had the statement, and did not answer
    return isinstance(error, OSError) or get_error_number(error) in _DISCONNECTED


def classify_error(error: pymysql.Error | OSError) -> Exception | None:
    """Return the exception of `sluice.errors` for an error, or None if the error is about the statement's own rows.

    The message has no data.
    """
    if isinstance(error, OSError):
        return DatabaseUnavailable(type(error).__name__)
    number = get_error_number(error)
    for numbers, exception_class in _CLASSES:
        if number in numbers:
            return exception_class(f"{type(error).__name__} {number}")
    return None


def redact_quoted_data(message: str) -> str:
    """Return a message without the item's data that it can quote."""
    return _QUOTED.sub("'…'", message)
