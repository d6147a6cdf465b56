"""The health check of one replica, for which a restore waits."""

import pytest

from sluice.errors import DatabaseUnavailable
from sluice.recovery.database_health import require_replication

HEALTH = {
    "replicas": [
        {"name": "replica-1", "replicates": True, "reason": ""},
        {"name": "replica-2", "replicates": False, "reason": "it follows another primary"},
    ]
}


def test_a_replica_that_follows_is_accepted() -> None:
    require_replication(HEALTH, "replica-1")


@pytest.mark.parametrize(("name", "reason"), [("replica-2", "another primary"), ("replica-3", "no replica-3")])
def test_another_one_is_waited_for(name: str, reason: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=reason):
        require_replication(HEALTH, name)
