"""Connections to one MariaDB server: TLS with a verified server, credentials from their secret."""

import functools
import ssl
from typing import TYPE_CHECKING, Any, Protocol

import pymysql
from pymysql.constants import ER
from pymysql.cursors import DictCursor

from sluice.aws.secrets import Credentials, read_credentials
from sluice.aws.tls import create_database_tls_context
from sluice.aws.tracing import Subsegment, create_subsegment
from sluice.db.errors import TOO_MANY_PREPARED, classify_error, get_error_number, is_disconnected
from sluice.errors import AccessDenied, AwsError, DatabaseUnavailable
from sluice.settings import DatabaseSettings

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[Any]
else:  # the class is generic only for type checkers
    Connection = pymysql.connections.Connection

CONNECT_TIMEOUT_SECONDS = 5
# Dates such as 2026-02-00 are errors.
LOADER_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"


def open_connection(  # noqa: PLR0913  callers pass everything optional by name
    settings: DatabaseSettings,
    credentials: Credentials,
    *,
    statement_timeout_seconds: int,
    for_loading: bool = False,
    tls_context: ssl.SSLContext | None = None,
    connect_timeout_seconds: int = CONNECT_TIMEOUT_SECONDS,
) -> Connection:
    """Open a connection to the server of the settings. Raises the errors of `sluice.db.errors`.

    With `for_loading`, the connection commits only on request, and can send rows with LOAD DATA LOCAL. Whoever opens
    several connections passes the same TLS context to each.
    """
    try:
        with trace_database(settings):
            connection = pymysql.connect(
                host=settings.database_host,
                port=settings.database_port,
                database=settings.database_name,
                user=credentials.username,
                password=credentials.password,
                ssl=tls_context or create_database_tls_context(),
                charset="utf8mb4",
                sql_mode=LOADER_SQL_MODE if for_loading else None,
                autocommit=not for_loading,
                local_infile=for_loading,
                connect_timeout=connect_timeout_seconds,
                # A server that hangs accepts a connection, and says nothing.
                read_timeout=min(connect_timeout_seconds, statement_timeout_seconds),
                write_timeout=statement_timeout_seconds,
            )
            connection._read_timeout = statement_timeout_seconds  # type: ignore[attr-defined]
            if for_loading:
                _let_locks_read_changed_rows(connection)
    except (pymysql.Error, OSError) as error:
        raise (classify_error(error) or error) from None
    # From now on the server must not request a file: the loader sends its rows itself (see load/load_data.py).
    connection._local_infile = False  # type: ignore[attr-defined]
    return connection


def _let_locks_read_changed_rows(connection: Connection) -> None:
    """Let a statement that locks a row read its present state, whatever the transaction has read before.

    MariaDB 11.6.2 and later ends such a transaction with an error unless this is off (ADR-0165). Loads read rows, lock
    them and then read them again.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_snapshot_isolation = OFF")
    except pymysql.Error as error:
        if get_error_number(error) != ER.UNKNOWN_SYSTEM_VARIABLE:  # a server from before the variable
            raise


def trace_database(settings: DatabaseSettings) -> Subsegment:
    """Create the subsegment of some work of the database. Neither statements nor values become part of it."""
    return create_subsegment(f"{settings.database_name}@{settings.database_host}", "remote", database_type="MariaDB")


class Queries(Protocol):
    """What runs statements, such as Database, or what passes them on to one."""

    def query(self, statement: str, values: tuple[Any, ...], *, is_frequent: bool = False) -> list[dict[str, Any]]:
        """Run a statement, and return its rows. Raises the errors of `sluice.db.errors`.

        A connection prepares a frequent statement, so that the server parses it once. It must have values.
        """
        ...


class DatabaseAccess:
    """What a connection needs besides its server, read at the first one: several servers can share it.

    `credentials` are None before that, and after `forget_credentials`.
    """

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn
        self.credentials: Credentials | None = None

    @functools.cached_property
    def tls_context(self) -> ssl.SSLContext:
        """The TLS context, which verifies the server."""
        return create_database_tls_context()

    def read_credentials(self) -> Credentials:
        """Read the credentials from the secret, once. Raises DatabaseUnavailable."""
        if self.credentials is None:
            try:
                self.credentials = read_credentials(self._secret_arn)
            except AwsError as error:
                # Without the password nobody can connect: for callers the database is unavailable.
                raise DatabaseUnavailable(f"{error.operation}: {error.code}") from error
        return self.credentials

    def forget_credentials(self) -> None:
        """Let the next connection read the secret again: the password was rotated."""
        self.credentials = None


class Database:
    """One warm connection to one server, opened on the first use and again after it has ended."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        statement_timeout_seconds: int,
        for_loading: bool = False,
        connect_timeout_seconds: int = CONNECT_TIMEOUT_SECONDS,
        access: DatabaseAccess | None = None,
    ) -> None:
        """`access` is that of the settings' secret, if several databases share it."""
        self._settings = settings
        self._statement_timeout_seconds = statement_timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._for_loading = for_loading
        self.access = access or DatabaseAccess(settings.database_secret_arn)
        self._connection: Connection | None = None
        self._prepared: dict[str, str] = {}

    @property
    def endpoint(self) -> str:
        """Where the server listens, as `host:port`."""
        return f"{self._settings.database_host}:{self._settings.database_port}"

    def get_connection(self) -> Connection:
        """Return the connection; open it if there is none. Raises the errors of `sluice.db.errors`."""
        if self._connection is None:
            try:
                self._connection = self._open_connection()
            except AccessDenied:
                # The password was rotated since we read it: read it again, once.
                self.access.forget_credentials()
                self._connection = self._open_connection()
        return self._connection

    def query(self, statement: str, values: tuple[Any, ...], *, is_frequent: bool = False) -> list[dict[str, Any]]:
        """Read rows, over a new connection if the warm one has ended. See Queries."""
        try:
            return self._run_query(statement, values, is_frequent=is_frequent)
        except (pymysql.Error, OSError) as error:
            if not is_disconnected(error):
                raise (classify_error(error) or error) from None
        try:
            return self._run_query(statement, values, is_frequent=is_frequent)
        except (pymysql.Error, OSError) as error:
            raise (classify_error(error) or error) from None

    def _run_query(self, statement: str, values: tuple[Any, ...], *, is_frequent: bool) -> list[dict[str, Any]]:
        try:
            connection = self.get_connection()
            with self.trace(), connection.cursor(DictCursor) as cursor:
                if is_frequent:
                    statement = self._prepared.get(statement) or self._prepare(cursor, statement, len(values))
                cursor.execute(statement, values)
                return list(cursor.fetchall())
        except (pymysql.Error, OSError):
            self.drop_connection()
            raise

    def _prepare(self, cursor: DictCursor, statement: str, value_count: int) -> str:
        """Prepare a statement on the connection, and return the one that executes it with as many values."""
        name = f"statement_{len(self._prepared) + 1}"
        execution = f"EXECUTE {name} USING {', '.join(['%s'] * value_count)}"
        try:
            cursor.execute(f"PREPARE {name} FROM %s", (statement % (("?",) * value_count),))
        except pymysql.Error as error:
            if get_error_number(error) != TOO_MANY_PREPARED:
                raise
            execution = statement
        self._prepared[statement] = execution
        return execution

    def trace(self) -> Subsegment:
        """See trace_database."""
        return trace_database(self._settings)

    def get_live_connection(self) -> Connection:
        """Return the connection after the server has answered on it. Raises the errors of `sluice.db.errors`."""
        try:
            self.get_connection().ping(reconnect=False)
        except (pymysql.Error, OSError):
            self.drop_connection()
        return self.get_connection()

    def drop_connection(self) -> None:
        """Close the connection without a message to the server, because the server may not answer."""
        if self._connection is not None:
            self._connection._force_close()  # type: ignore[attr-defined]
            self._connection = None

    def _open_connection(self) -> Connection:
        self._prepared = {}
        return open_connection(
            self._settings,
            self.access.read_credentials(),
            statement_timeout_seconds=self._statement_timeout_seconds,
            for_loading=self._for_loading,
            tls_context=self.access.tls_context,
            connect_timeout_seconds=self._connect_timeout_seconds,
        )
