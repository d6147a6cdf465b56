"""A real MariaDB primary and its read replica, private to one folder."""

from local.database.pair import Pair
from local.database.replica import Replica
from local.database.server import Server

__all__ = ["Pair", "Replica", "Server"]
