"""The row of `marks` with a moment of the primary: who can read this row has everything that was committed before it.

The primary writes its own time into the row, in a transaction that commits afterwards. A replica applies transactions
in the order of the primary's binary log. So a replica that shows the row has every transaction that the primary had
committed by then: the moment is never too late, only too early. A load with new writes updates the row, and so does
the heartbeat of each minute, which keeps it fresh when nothing is written (ADR-0140).
"""

import datetime
from typing import Any, Protocol

NAME = "as_of"
# The column `version` of `marks` has 26 characters: UTC, to the microsecond, without the letter Z. The percent signs
# are doubled for the driver.
CURRENT_MOMENT = "DATE_FORMAT(UTC_TIMESTAMP(6), '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')"
_SELECT = f"SELECT version FROM marks WHERE name = '{NAME}'"  # noqa: S608
_WRITE = (
    f"INSERT INTO marks (name, version) VALUES ('{NAME}', {CURRENT_MOMENT}) "  # noqa: S608
    "ON DUPLICATE KEY UPDATE version = VALUES(version)"
)


class Queries(Protocol):
    """Something that reads rows, as `sluice.db.connection.Database` does."""

    def query(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Raises the errors of `sluice.db.errors`."""
        ...


def write_as_of(primary: Queries) -> None:
    """Commit the primary's current time. Raises the errors of `sluice.db.errors`."""
    primary.query(_WRITE, ())


def read_as_of(replica: Queries) -> str:
    """Read the moment that a replica has reached. Return an empty text before the first one.

    Moments are texts as the row has them: in this form they can be compared, and cost a read the least. Raises the
    errors of `sluice.db.errors`.
    """
    rows = replica.query(_SELECT, ())
    return str(rows[0]["version"]) if rows else ""


def parse_moment(moment: str) -> datetime.datetime:
    """Parse a moment as the row has it."""
    return datetime.datetime.fromisoformat(f"{moment}+00:00")


def format_moment(moment: str) -> str:
    """Format a moment as clients see it: RFC 3339, rounded down to seconds, so that it is never too late."""
    return f"{moment[:19]}Z"
