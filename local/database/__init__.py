"""A MariaDB primary and its read replica, private to one folder."""

from local.database.pair import DatabasePair
from local.database.replica import ReplicaServer
from local.database.server import DatabaseServer

__all__ = ["DatabasePair", "DatabaseServer", "ReplicaServer"]
