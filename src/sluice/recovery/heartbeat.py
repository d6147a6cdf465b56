"""A version that the primary commits, to see it arrive at the replica.

A replica's position says too little: one whose threads stand still is level until the next commit, and one that a lost
primary left behind is further than the primary that was restored in its place. RDS lets no account see by SHOW REPLICA
STATUS whether the threads run. So something is written; one row is enough, and a load never touches it.
"""

from sluice.db.connection import Database
from sluice.errors import AccessDenied, DatabaseUnavailable, LockConflict, SchemaOutdated
from sluice.model.versions import new_version

_HEARTBEAT_NAME = "heartbeat"


def write_heartbeat(primary: Database) -> str:
    """Commit a new version and return it; nothing, where the primary takes no writes."""
    version = new_version()
    try:
        primary.query(
            "INSERT INTO marks (name, version) VALUES (%s, %s) ON DUPLICATE KEY UPDATE version = VALUES(version)",
            (_HEARTBEAT_NAME, version),
        )
    except (DatabaseUnavailable, LockConflict, AccessDenied, SchemaOutdated):
        return ""
    return version


def read_heartbeat(replica: Database) -> str:
    """The last version that arrived at a replica; nothing where none did. Raises the faults of `sluice.db.errors`."""
    rows = replica.query("SELECT version FROM marks WHERE name = %s", (_HEARTBEAT_NAME,))
    return str(rows[0]["version"]) if rows else ""
