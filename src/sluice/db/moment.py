"""The moment: a time of the primary, in a row of `marks`. A server that shows it has what was committed by then.

A migration that finds no row writes the primary's time into one. Each load writes a later one, in its own transaction,
and so does the heartbeat of each minute. The row's value grows with every commit that changes it, whatever the
primary's clock does: the transaction that changes it locks it until its commit. A replica applies transactions in the
order of the primary's binary log. So a replica that shows the row has every transaction that the primary had committed
by then, and of two states of the database, the later one has the later moment (ADR-0140, ADR-0148, ADR-0164).
"""

import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a function without a database does not import the driver
    from sluice.db.connection import Queries

MOMENT_NAME = "as_of"
"""The name of the row. Clients see the moment under this name too."""
MOMENT_COLUMN = "_moment"
"""The column of a result that begins with the moment. A blank separates what a statement adds to it. No field of a
resource begins with an underscore."""
# The column `version` of `marks` has 26 characters: UTC, to the microsecond, without the letter Z. The percent signs
# are doubled for the driver.
_FORMAT = "'%%Y-%%m-%%dT%%H:%%i:%%s.%%f'"
# A clock that goes back, or a transaction that began before the last one ended, would write an earlier time.
NEXT_MOMENT = (
    f"DATE_FORMAT(GREATEST(UTC_TIMESTAMP(6), CAST(version AS DATETIME(6)) + INTERVAL 1 MICROSECOND), {_FORMAT})"
)
_CLIENT_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
SELECT_MOMENT = f"SELECT version FROM marks WHERE name = '{MOMENT_NAME}'"  # noqa: S608
"""As a subquery, it sees the same state of the database as the rest of its statement."""


def write_moment(primary: "Queries") -> None:
    """Commit the primary's current time. Raises the errors of `sluice.db.errors`."""
    primary.query(create_moment_statement("marks"), ())


def create_moment_statement(marks: str) -> str:
    """Create the statement that writes the moment into this table. It has doubled percent signs, and no values."""
    return (
        f"INSERT INTO {marks} (name, version) VALUES ('{MOMENT_NAME}', DATE_FORMAT(UTC_TIMESTAMP(6), {_FORMAT})) "  # noqa: S608
        f"ON DUPLICATE KEY UPDATE version = {NEXT_MOMENT}"
    )


def read_moment(replica: "Queries") -> str:
    """Read the moment that a replica has reached. Return an empty text before the first one.

    A moment is a text, as the row has it: texts of this form can be compared, and need no parsing in a read. Raises
    the errors of `sluice.db.errors`.
    """
    rows = replica.query(SELECT_MOMENT, ())
    return str(rows[0]["version"]) if rows else ""


def get_moment(row: Mapping[str, Any]) -> str:
    """Return the moment in a row of a result. It is an empty text before the first one."""
    return str(row[MOMENT_COLUMN] or "").partition(" ")[0]


def parse_moment(moment: str) -> datetime.datetime:
    """Parse a moment as the row has it."""
    return datetime.datetime.fromisoformat(f"{moment}+00:00")


def parse_client_moment(text: str) -> str:
    """Parse what `format_moment` formatted, also with fewer digits. Return an empty text for anything else."""
    if not _CLIENT_MOMENT.fullmatch(text):
        return ""
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return ""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction:0<6}"


def format_moment(moment: str) -> str:
    """Format a moment as clients see it: RFC 3339, to the microsecond, so that it names one state of the database."""
    return f"{moment}Z"
