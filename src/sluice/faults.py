"""What a database error means for whoever meets it. The class names are what the workflows retry and catch by."""

import pymysql
from pymysql.constants import CR, ER

# MariaDB's own numbers where PyMySQL has no name: a statement refused by a read-only server, a killed connection.
READ_ONLY_MODE = 1836
CONNECTION_KILLED = 1927
NOT_PREPARED_YET = 1047  # the server is not ready for commands

_AWAY = {
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
    NOT_PREPARED_YET,
    0,  # PyMySQL's InterfaceError of a connection that was closed
}
_DISCONNECTED = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_SERVER_LOST_EXTENDED, CONNECTION_KILLED, 0}
_AGAIN = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
# MariaDB answers an unknown user with one or the other of two numbers.
NO_SUCH_USER = 1698
_DENIED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, NO_SUCH_USER}
# Tables, columns and the grants on them all come with the migration.
_BEHIND = {
    ER.NO_SUCH_TABLE,
    ER.BAD_FIELD_ERROR,
    ER.BAD_DB_ERROR,
    ER.NO_DEFAULT_FOR_FIELD,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.KEY_DOES_NOT_EXITS,
}


class DatabaseAway(Exception):  # noqa: N818
    """The database cannot take this now: gone, starting, full or read-only, or its password cannot be learned.

    Waiting helps.
    """


class TryAgain(Exception):  # noqa: N818
    """A deadlock or a lock timeout: the same again, soon."""


class AccessDenied(Exception):  # noqa: N818
    """The credentials are not (or no longer) valid, or do not allow this."""


class SchemaBehind(Exception):  # noqa: N818
    """The tables or this code are older than the write. The deploy that is under way, or a migration, helps."""


class UnreadableBatch(Exception):  # noqa: N818
    """The object is no batch: not GZIP or not JSON lines. Nothing helps; it is quarantined."""


def number(error: BaseException) -> int | None:
    """The error's number, or None when it has none."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def disconnected(error: BaseException) -> bool:
    """Whether a warm connection had died before the statement: a new one may well work."""
    return isinstance(error, OSError) or number(error) in _DISCONNECTED


def meaning(error: pymysql.Error | OSError) -> Exception | None:
    """Return the fault that an error stands for, free of data, or None when it is about the statement's own rows."""
    if isinstance(error, OSError):
        return DatabaseAway(type(error).__name__)
    code = number(error)
    for codes, fault in ((_AGAIN, TryAgain), (_DENIED, AccessDenied), (_BEHIND, SchemaBehind), (_AWAY, DatabaseAway)):
        if code in codes:
            return fault(f"{type(error).__name__} {code}")
    return None
