"""Connections to one MariaDB instance: TLS with a verified server, credentials from their secret."""

from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.cursors import DictCursor

from sluice.aws.faults import AwsError
from sluice.credentials import Credentials, credentials
from sluice.faults import AccessDenied, DatabaseAway, disconnected, meaning
from sluice.settings import DatabaseSettings
from sluice.trust import tls

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[Any]
else:  # the class is generic for type checkers only
    Connection = pymysql.connections.Connection

CONNECT_SECONDS = 5
# A day of no month is no date.
LOADING_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION"


def enter(settings: DatabaseSettings, who: Credentials, *, statement_seconds: int, loading: bool = False) -> Connection:
    """A new connection to the instance of the settings. Raises the faults of `sluice.faults`."""
    try:
        connection = pymysql.connect(
            host=settings.database_host,
            port=settings.database_port,
            database=settings.database_name,
            user=who.username,
            password=who.password,
            ssl=tls(),
            charset="utf8mb4",
            sql_mode=LOADING_MODE if loading else None,
            autocommit=not loading,
            local_infile=loading,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=statement_seconds,
            write_timeout=statement_seconds,
        )
    except (pymysql.Error, OSError) as error:
        raise (meaning(error) or error) from None
    # The server may from now on ask for no file: the loader sends its rows itself (see loading/staging.py).
    connection._local_infile = False  # type: ignore[attr-defined]
    return connection


class Database:
    """One warm connection to one instance, made when first needed and again when it has died."""

    def __init__(self, settings: DatabaseSettings, *, statement_seconds: int, loading: bool = False) -> None:
        self._settings = settings
        self._statement_seconds = statement_seconds
        self._loading = loading
        self._credentials: Credentials | None = None
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """The connection, made if there is none. Raises the faults of `sluice.faults`."""
        if self._connection is None:
            try:
                self._connection = self._connected()
            except AccessDenied:
                # The password was rotated after we read it: read it again, once.
                self._credentials = None
                self._connection = self._connected()
        return self._connection

    def query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Read rows, over a new connection when the warm one had died. Raises the faults of `sluice.faults`."""
        try:
            return self._query(statement, values)
        except (pymysql.Error, OSError) as error:
            if not disconnected(error):
                raise (meaning(error) or error) from None
        try:
            return self._query(statement, values)
        except (pymysql.Error, OSError) as error:
            raise (meaning(error) or error) from None

    def _query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        try:
            with self.connection().cursor(DictCursor) as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall())
        except (pymysql.Error, OSError):
            self.drop()
            raise

    def live_connection(self) -> Connection:
        """As `connection`, but one that has just answered."""
        try:
            self.connection().ping(reconnect=False)
        except (pymysql.Error, OSError):
            self.drop()
        return self.connection()

    def drop(self) -> None:
        """Forget the connection without a word to the server, which may not answer."""
        if self._connection is not None:
            self._connection._force_close()  # type: ignore[attr-defined]
            self._connection = None

    def _connected(self) -> Connection:
        if self._credentials is None:
            try:
                self._credentials = credentials(self._settings.database_secret_arn)
            except AwsError as error:
                # Whoever cannot learn the password cannot get in: for callers the database is away.
                raise DatabaseAway(f"{error.operation}: {error.code}") from error
        return enter(
            self._settings, self._credentials, statement_seconds=self._statement_seconds, loading=self._loading
        )
