"""The moment: a time of the primary, in a row of `marks`. A server that shows it has what was committed by then.

The primary writes its own time into the row, in a transaction that commits afterwards. A replica applies transactions
in the order of the primary's binary log. So a replica that shows the row has every transaction that the primary had
committed by then: the moment is never too late, only too early. A load with new writes updates the row, and so does
the heartbeat of each minute, which keeps it fresh when nothing is written (ADR-0140).
"""

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a function without a database does not import the driver
    from sluice.db.connection import Queries

MOMENT_NAME = "as_of"
"""The name of the row. Clients see the moment under this name too."""
# The column `version` of `marks` has 26 characters: UTC, to the microsecond, without the letter Z. The percent signs
# are doubled for the driver.
CURRENT_MOMENT = "DATE_FORMAT(UTC_TIMESTAMP(6), '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')"
_SELECT = f"SELECT version FROM marks WHERE name = '{MOMENT_NAME}'"  # noqa: S608
_WRITE = (
    f"INSERT INTO marks (name, version) VALUES ('{MOMENT_NAME}', {CURRENT_MOMENT}) "  # noqa: S608
    "ON DUPLICATE KEY UPDATE version = VALUES(version)"
)


def write_moment(primary: "Queries") -> None:
    """Commit the primary's current time. Raises the errors of `sluice.db.errors`."""
    primary.query(_WRITE, ())


def read_moment(replica: "Queries") -> str:
    """Read the moment that a replica has reached. Return an empty text before the first one.

    A moment is a text, as the row has it: texts of this form can be compared, and need no parsing in a read. Raises
    the errors of `sluice.db.errors`.
    """
    rows = replica.query(_SELECT, ())
    return str(rows[0]["version"]) if rows else ""


def parse_moment(moment: str) -> datetime.datetime:
    """Parse a moment as the row has it."""
    return datetime.datetime.fromisoformat(f"{moment}+00:00")


def format_moment(moment: str) -> str:
    """Format a moment as clients see it: RFC 3339, rounded down to seconds, so that it is never too late."""
    return f"{moment[:19]}Z"
