"""A MariaDB primary and its read replica, private to one folder."""

from local.database.replica import ReplicaServer
from local.database.server import DatabaseServer
from local.database.servers import DatabaseServers

__all__ = ["DatabaseServer", "DatabaseServers", "ReplicaServer"]
