"""Connections to one MariaDB instance: TLS with a verified server, credentials from their secret."""

from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.cursors import DictCursor

from sluice.aws.secrets import Credentials, read_credentials
from sluice.aws.tls import create_database_tls_context
from sluice.db.errors import classify_error, is_disconnected
from sluice.errors import AccessDenied, AwsError, DatabaseUnavailable
from sluice.settings import DatabaseSettings

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[Any]
else:  # the class is generic for type checkers only
    Connection = pymysql.connections.Connection


CONNECT_TIMEOUT_SECONDS = 5


# A day of no month is no date.
LOADER_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"


def open_connection(
    settings: DatabaseSettings, credentials: Credentials, *, statement_timeout_seconds: int, for_loading: bool = False
) -> Connection:
    """A new connection to the instance of the settings. Raises the faults of `sluice.db.errors`."""
    try:
        connection = pymysql.connect(
            host=settings.database_host,
            port=settings.database_port,
            database=settings.database_name,
            user=credentials.username,
            password=credentials.password,
            ssl=create_database_tls_context(),
            charset="utf8mb4",
            sql_mode=LOADER_SQL_MODE if for_loading else None,
            autocommit=not for_loading,
            local_infile=for_loading,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=statement_timeout_seconds,
            write_timeout=statement_timeout_seconds,
        )
    except (pymysql.Error, OSError) as error:
        raise (classify_error(error) or error) from None
    # The server may from now on ask for no file: the loader sends its rows itself (see loading/staging.py).
    connection._local_infile = False  # type: ignore[attr-defined]
    return connection


class Database:
    """One warm connection to one instance, made when first needed and again when it has died."""

    def __init__(
        self, settings: DatabaseSettings, *, statement_timeout_seconds: int, for_loading: bool = False
    ) -> None:
        self._settings = settings
        self._statement_seconds = statement_timeout_seconds
        self._loading = for_loading
        self._credentials: Credentials | None = None
        self._connection: Connection | None = None

    def get_connection(self) -> Connection:
        """The connection, made if there is none. Raises the faults of `sluice.db.errors`."""
        if self._connection is None:
            try:
                self._connection = self._connect()
            except AccessDenied:
                # The password was rotated after we read it: read it again, once.
                self._credentials = None
                self._connection = self._connect()
        return self._connection

    def query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Read rows, over a new connection when the warm one had died. Raises the faults of `sluice.db.errors`."""
        try:
            return self._run_query(statement, values)
        except (pymysql.Error, OSError) as error:
            if not is_disconnected(error):
                raise (classify_error(error) or error) from None
        try:
            return self._run_query(statement, values)
        except (pymysql.Error, OSError) as error:
            raise (classify_error(error) or error) from None

    def _run_query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        try:
            with self.get_connection().cursor(DictCursor) as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall())
        except (pymysql.Error, OSError):
            self.drop_connection()
            raise

    def get_live_connection(self) -> Connection:
        """As `connection`, but one that has just answered."""
        try:
            self.get_connection().ping(reconnect=False)
        except (pymysql.Error, OSError):
            self.drop_connection()
        return self.get_connection()

    def drop_connection(self) -> None:
        """Forget the connection without a word to the server, which may not answer."""
        if self._connection is not None:
            self._connection._force_close()  # type: ignore[attr-defined]
            self._connection = None

    def _connect(self) -> Connection:
        if self._credentials is None:
            try:
                self._credentials = read_credentials(self._settings.database_secret_arn)
            except AwsError as error:
                # Whoever cannot learn the password cannot get in: for callers the database is away.
                raise DatabaseUnavailable(f"{error.operation}: {error.code}") from error
        return open_connection(
            self._settings,
            self._credentials,
            statement_timeout_seconds=self._statement_seconds,
            for_loading=self._loading,
        )
