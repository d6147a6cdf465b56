"""The number of replicas of the local stack is kept in its folder."""

from pathlib import Path

import pytest

from local.database import DatabaseServers
from local.database.replica_count import adopt_former_replica, read_replica_count, set_replica_count


def test_every_command_sees_the_number_that_was_chosen(tmp_path: Path) -> None:
    assert [replica.directory.name for replica in DatabaseServers(tmp_path).replicas] == ["replica-1", "replica-2"]
    set_replica_count(tmp_path, 3)
    assert len(DatabaseServers(tmp_path).replicas) == read_replica_count(tmp_path) == 3
    assert len(DatabaseServers(tmp_path, replicas=1).replicas) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_replicas_leave_nothing_of_the_others(tmp_path: Path, count: int) -> None:
    for number in (1, 2):
        (tmp_path / f"replica-{number}" / "data").mkdir(parents=True)
    set_replica_count(tmp_path, count)
    assert len(list(tmp_path.glob("replica-*"))) == count


def test_the_replica_of_an_older_checkout_keeps_its_data(tmp_path: Path) -> None:
    (tmp_path / "replica" / "data").mkdir(parents=True)
    (tmp_path / "replica" / "data" / "rows").write_text("kept")
    adopt_former_replica(tmp_path)
    assert (tmp_path / "replica-1" / "data" / "rows").read_text() == "kept"
    assert not (tmp_path / "replica").exists()
    adopt_former_replica(tmp_path)
    assert (tmp_path / "replica-1" / "data" / "rows").exists()
