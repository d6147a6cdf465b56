"""Read the general logs of the databases: the statements of the service, without their values."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from local.stack import Stack

# The driver's first statements on each connection. They contain nothing of a request.
CONNECTION_STATEMENTS = {"SET NAMES utf8mb4", "SET AUTOCOMMIT = ?", "SET sql_mode=?"}
SERVICE_USERS = re.compile(r"^sluice_(?!admin)")

# The literals of MariaDB in this sql_mode: both quotes make strings, with backslashes or doubled quotes in them.
_VALUE = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|\b0x[0-9a-f]+\b|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b""", re.I | re.S
)
_COMMENT = re.compile(r"(--\s|#|/\*)")
# The number of values in a list, or of rows, makes no other statement.
_LIST = re.compile(r"\?(?:\s*,\s*\?)+")
_ROWS = re.compile(r"\(\?\)(?:\s*,\s*\(\?\))+")
_LINE = re.compile(
    r"^(?:\d{6}\s+\d{1,2}:\d\d:\d\d)?\t+\s*(\d+) (Connect|Query|Execute|Prepare|Quit|Init DB|[A-Z]\w+)\t?(.*)$"
)


def normalize_statement(statement: str) -> str:
    """Replace each value of a statement by `?`, as MariaDB's digests do. What breaks out of a string stays visible."""
    text = " ".join(_VALUE.sub("?", statement).split())
    text = _ROWS.sub("(?)", _LIST.sub("?", text))
    return f"{text} [comment]" if _COMMENT.search(text) else text


class GeneralLog:
    """The general log of one server, written to a file until `close`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._users = dict(self._fetch_rows("SELECT id, user FROM information_schema.processlist"))
        [[folder]] = self._fetch_rows("SELECT @@datadir")
        self._file = Path(folder) / "statements.log"
        self._file.unlink(missing_ok=True)
        self._execute(
            "SET GLOBAL log_output = 'FILE'",
            f"SET GLOBAL general_log_file = '{self._file}'",
            "SET GLOBAL general_log = ON",
        )
        self._position = 0

    def close(self) -> None:
        self._execute("SET GLOBAL general_log = OFF")
        self._file.unlink(missing_ok=True)

    def read_statements(self) -> set[str]:
        """The normalized statements that the users of the service ran since the last call."""
        with self._file.open("rb") as log:
            log.seek(self._position)
            text = log.read().decode("utf-8", "replace")
            self._position = log.tell()
        statements = (statement for user, statement in self._parse_log(text) if SERVICE_USERS.match(user))
        return set(map(normalize_statement, statements)) - CONNECTION_STATEMENTS

    def _parse_log(self, text: str) -> Iterator[tuple[str, str]]:
        """Users and their statements. A statement may have several lines."""
        user, statement = "", ""
        for line in text.splitlines():
            entry = _LINE.match(line)
            if entry is None:
                statement += "\n" + line
                continue
            if statement:
                yield user, statement
            statement = ""
            connection, command, argument = int(entry[1]), entry[2], entry[3]
            if command == "Connect":
                self._users[connection] = argument.partition("@")[0]
            elif command in {"Query", "Execute", "Prepare"}:
                user, statement = self._users.get(connection, ""), argument
        if statement:
            yield user, statement

    def _fetch_rows(self, query: str) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def _execute(self, *statements: str) -> None:
        with self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


class GeneralLogs:
    """The general logs of all servers."""

    def __init__(self, logs: list[GeneralLog]) -> None:
        self._logs = logs

    def read_statements(self) -> set[str]:
        """The normalized statements that ran on any server since the last call."""
        time.sleep(1)
        return {statement for log in self._logs for statement in log.read_statements()}


@contextmanager
def log_statements(stack: Stack) -> Iterator[GeneralLogs]:
    """Let every server log every statement while the block runs."""
    with ExitStack() as exit_stack:
        logs = []
        for server in stack.servers.all:
            log = GeneralLog(exit_stack.enter_context(server.connect_as_root()))
            exit_stack.callback(log.close)
            logs.append(log)
        yield GeneralLogs(logs)
