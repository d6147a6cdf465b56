"""Read the general logs of the databases: the statements of the service, without their values."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from local.stack import Stack

# What the driver says first on each connection; nothing of a request is in it.
CONNECTION_STATEMENTS = {"SET NAMES utf8mb4", "SET AUTOCOMMIT = ?", "SET sql_mode=?"}


SERVICE_USERS = re.compile(r"^sluice_(?!admin)")


# MariaDB's tokens, as its sql_mode here has them: both quotes make texts, with backslashes or doubled quotes in them.
_VALUE = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|\b0x[0-9a-f]+\b|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b""", re.I | re.S
)


_COMMENT = re.compile(r"(--\s|#|/\*)")


# A number of rows, or of values in a list, is no other form.
_LIST = re.compile(r"\?(?:\s*,\s*\?)+")


_ROWS = re.compile(r"\(\?\)(?:\s*,\s*\(\?\))+")


_LINE = re.compile(
    r"^(?:\d{6}\s+\d{1,2}:\d\d:\d\d)?\t+\s*(\d+) (Connect|Query|Execute|Prepare|Quit|Init DB|[A-Z]\w+)\t?(.*)$"
)


def normalize_statement(statement: str) -> str:
    """A statement with `?` in place of each value, as MariaDB's own digests are; what breaks out of a text is seen."""
    text = " ".join(_VALUE.sub("?", statement).split())
    text = _ROWS.sub("(?)", _LIST.sub("?", text))
    return f"{text} [comment]" if _COMMENT.search(text) else text


class GeneralLog:
    """The general log of one server, kept in a file while the block lasts."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._users = dict(self._rows("SELECT id, user FROM information_schema.processlist"))
        [[folder]] = self._rows("SELECT @@datadir")
        self._file = Path(folder) / "statements.log"
        self._file.unlink(missing_ok=True)
        self._run(
            "SET GLOBAL log_output = 'FILE'",
            f"SET GLOBAL general_log_file = '{self._file}'",
            "SET GLOBAL general_log = ON",
        )
        self._read = 0

    def close(self) -> None:
        self._run("SET GLOBAL general_log = OFF")
        self._file.unlink(missing_ok=True)

    def read_statements(self) -> set[str]:
        """The forms of what the service's own users ran since the last call."""
        with self._file.open("rb") as log:
            log.seek(self._read)
            text = log.read().decode("utf-8", "replace")
            self._read = log.tell()
        found = {
            normalize_statement(statement) for user, statement in self._statements(text) if SERVICE_USERS.match(user)
        }
        return found - CONNECTION_STATEMENTS

    def _statements(self, text: str) -> Iterator[tuple[str, str]]:
        user, said = "", ""
        for line in text.splitlines():
            found = _LINE.match(line)
            if found is None:
                said += "\n" + line
                continue
            if said:
                yield user, said
            said = ""
            connection, command, argument = int(found[1]), found[2], found[3]
            if command == "Connect":
                self._users[connection] = argument.partition("@")[0]
            elif command in {"Query", "Execute", "Prepare"}:
                user, said = self._users.get(connection, ""), argument
        if said:
            yield user, said

    def _rows(self, query: str) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def _run(self, *statements: str) -> None:
        with self._connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def log_statements(stack: Stack) -> Iterator["GeneralLogs"]:
    """Both servers write every statement down while this lasts."""
    with ExitStack() as opened:
        logs = []
        for server in (stack.pair.primary, stack.pair.replica):
            log = GeneralLog(opened.enter_context(server.connect_as_root()))
            opened.callback(log.close)
            logs.append(log)
        yield GeneralLogs(logs)


class GeneralLogs:
    def __init__(self, logs: list[GeneralLog]) -> None:
        self._logs = logs

    def read_statements(self) -> set[str]:
        """The forms of what ran on either server since the last call."""
        time.sleep(1)
        return {each for log in self._logs for each in log.read_statements()}
