"""Classify errors of the database, and redact the data that its messages quote."""

import re

import pymysql
from pymysql.constants import CR, ER

from sluice.errors import AccessDenied, DatabaseUnavailable, LockConflict, SchemaOutdated

# MariaDB's own numbers where PyMySQL has no name: a statement refused by a read-only server, a killed connection.
READ_ONLY_MODE = 1836


CONNECTION_KILLED = 1927


SERVER_NOT_READY = 1047  # the server is not ready for commands


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
    0,  # PyMySQL's InterfaceError of a connection that was closed
}


_DISCONNECTED = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_SERVER_LOST_EXTENDED, CONNECTION_KILLED, 0}


_LOCK_CONFLICT = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}


# MariaDB answers an unknown user with one or the other of two numbers.
UNKNOWN_USER = 1698


_ACCESS_DENIED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, UNKNOWN_USER}


# Tables, columns and the grants on them all come with the migration.
_SCHEMA_OUTDATED = {
    ER.NO_SUCH_TABLE,
    ER.BAD_FIELD_ERROR,
    ER.BAD_DB_ERROR,
    ER.NO_DEFAULT_FOR_FIELD,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.KEY_DOES_NOT_EXITS,
}


def get_error_number(error: BaseException) -> int | None:
    """The error's number, or None when it has none."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def is_disconnected(error: BaseException) -> bool:
    """Whether a warm connection had died before the statement: a new one may well work."""
    return isinstance(error, OSError) or get_error_number(error) in _DISCONNECTED


def classify_error(error: pymysql.Error | OSError) -> Exception | None:
    """Return the fault that an error stands for, free of data, or None when it is about the statement's own rows."""
    if isinstance(error, OSError):
        return DatabaseUnavailable(type(error).__name__)
    code = get_error_number(error)
    for codes, fault in (
        (_LOCK_CONFLICT, LockConflict),
        (_ACCESS_DENIED, AccessDenied),
        (_SCHEMA_OUTDATED, SchemaOutdated),
        (_UNAVAILABLE, DatabaseUnavailable),
    ):
        if code in codes:
            return fault(f"{type(error).__name__} {code}")
    return None


_QUOTED = re.compile(r"""'.*'|".*\"""", re.DOTALL)


def redact_quoted_data(reason: str) -> str:
    """A reason without what it may quote of the item."""
    return _QUOTED.sub("'…'", reason)
