"""Which backups of the local databases stay, and what the emulated RDS remembers. These tests start no server."""

import datetime
import json
import socket
import time
from dataclasses import asdict
from pathlib import Path

import pymysql
import pytest

from local.database.backups import Backups, Snapshot
from local.database.binlog_stream import list_copied_files
from local.database.role import Role, choose_server_id, read_role, write_role
from local.database.server import DatabaseServer
from local.emulator.iam.rds_resources import _find_arn
from local.emulator.rds.registry import Registry
from local.emulator.rds.schedule import find_last_night

DAY = 86_400


def create_snapshot(root: Path, identifier: str, days_ago: float, log_file: str, kind: str = "automated") -> Snapshot:
    folder = root / "backups" / "snapshots" / identifier
    folder.mkdir(parents=True)
    snapshot = Snapshot(identifier, kind, "db-1", "primary", time.time() - days_ago * DAY, identifier)
    (folder / "snapshot.json").write_text(json.dumps(asdict(snapshot)))
    (folder / "xtrabackup_binlog_info").write_text(f"{log_file}\t100\t0-1-2\n")
    return snapshot


def create_log(folder: Path, session: str, name: str, size: int) -> Path:
    (folder / session).mkdir(parents=True, exist_ok=True)
    (folder / session / name).write_bytes(b"x" * size)
    return folder / session / name


def test_old_automated_snapshots_go_with_the_log_that_only_they_need(tmp_path: Path) -> None:
    backups = Backups(tmp_path)
    for number, days in enumerate((30, 9, 3, 1), start=1):
        create_snapshot(tmp_path, f"s{number}", days, f"binlog.00000{number}")
    create_snapshot(tmp_path, "by-hand", 40, "binlog.000002", kind="manual")
    logs = backups.get_log_folder("db-1")
    for number in range(1, 5):
        create_log(logs, "1", f"binlog.00000{number}", 10)
    backups.forget_old("db-1", 7)
    assert {snapshot.identifier for snapshot in backups.list_snapshots()} == {"s3", "s4", "by-hand"}
    assert list(list_copied_files(logs)) == ["binlog.000002", "binlog.000003", "binlog.000004"]


def test_the_newest_automated_snapshot_stays_however_old_it_is(tmp_path: Path) -> None:
    create_snapshot(tmp_path, "s1", 30, "binlog.000001")
    Backups(tmp_path).forget_old("db-1", 7)
    assert len(Backups(tmp_path).list_snapshots()) == 1


def test_a_moment_is_restored_from_the_newest_earlier_snapshot(tmp_path: Path) -> None:
    backups = Backups(tmp_path)
    first, second = (create_snapshot(tmp_path, f"s{days}", days, "binlog.000001") for days in (2, 1))
    assert backups.find_snapshot_before("db-1", time.time()) == second
    assert backups.find_snapshot_before("db-1", time.time() - 1.5 * DAY) == first
    assert backups.find_snapshot_before("db-1", time.time() - 3 * DAY) is None
    assert backups.find_snapshot_before("db-2", time.time()) is None


def test_a_copy_that_was_not_complete_is_removed(tmp_path: Path) -> None:
    create_snapshot(tmp_path, "s1", 1, "binlog.000001")
    (tmp_path / "backups" / "snapshots" / "broken").mkdir()
    Backups(tmp_path).delete_unfinished()
    assert [path.name for path in (tmp_path / "backups" / "snapshots").iterdir()] == ["s1"]


def test_of_each_log_file_the_longest_copy_counts(tmp_path: Path) -> None:
    create_log(tmp_path, "1", "binlog.000001", 5)
    longest = create_log(tmp_path, "1", "binlog.000002", 9)
    create_log(tmp_path, "2", "binlog.000002", 3)
    newest = create_log(tmp_path, "2", "binlog.000003", 1)
    assert list(list_copied_files(tmp_path).items())[1:] == [("binlog.000002", longest), ("binlog.000003", newest)]


@pytest.mark.parametrize(
    ("now", "night"), [("2026-11-29T02:59:59", "2026-11-28"), ("2026-11-29T03:00:00", "2026-11-29")]
)
def test_the_backup_window_begins_at_three(now: str, night: str) -> None:
    moment = datetime.datetime.fromisoformat(f"{now}+00:00")
    assert find_last_night(moment) == datetime.datetime.fromisoformat(f"{night}T03:00:00+00:00")


def test_the_role_of_a_server_is_in_its_folder(tmp_path: Path) -> None:
    assert read_role(tmp_path / "primary") == Role(1)
    assert read_role(tmp_path / "replica-2") == Role(3, "primary")
    assert choose_server_id(tmp_path) == 101
    write_role(tmp_path / "replica-2", Role(101))
    assert read_role(tmp_path / "replica-2") == Role(101)
    assert choose_server_id(tmp_path) == 102
    assert "--read-only=ON" in Role(3, "primary").settings
    assert "--read-only=ON" not in Role(101).settings


def test_the_registry_is_the_same_after_a_start(tmp_path: Path) -> None:
    for name in ("primary", "replica-1", "elsewhere"):
        (tmp_path / name / "data").mkdir(parents=True)
    registry = Registry(tmp_path)
    primary, replica = registry.list_instances()
    assert replica.source == primary.resource
    with registry.change():
        registry.rename(replica, "replica-1-lost")
        registry.remove(primary)
        registry.add("primary-restored", "creating", {}).operation = {"kind": "restore"}
    again = Registry(tmp_path).list_instances()
    # The folders `primary` and `replica-1` are not registered a second time: RDS released the names.
    assert [(entry.name, entry.status, entry.operation) for entry in again] == [
        ("replica-1-lost", "available", None),
        ("primary-restored", "creating", {"kind": "restore"}),
    ]


@pytest.mark.parametrize(
    ("parameters", "resource"),
    [
        ({"Action": "ModifyDBInstance", "DBInstanceIdentifier": "a"}, "db:a"),
        ({"Action": "RestoreDBInstanceToPointInTime", "TargetDBInstanceIdentifier": "a"}, "db:a"),
        (
            {"Action": "RestoreDBInstanceFromDBSnapshot", "DBInstanceIdentifier": "a", "DBSnapshotIdentifier": "s"},
            "db:a",
        ),
        ({"Action": "DescribeDBSnapshots", "DBSnapshotIdentifier": "rds:s"}, "snapshot:rds:s"),
        ({"Action": "DescribeDBInstances"}, "db:*"),
        ({"Action": "DescribeDBInstanceAutomatedBackups", "DBInstanceIdentifier": "a"}, "auto-backup:*"),
    ],
)
def test_an_operation_is_authorized_on_what_it_names(parameters: dict[str, str], resource: str) -> None:
    assert _find_arn(parameters, "us-east-1", "000000000000") == f"arn:aws:rds:us-east-1:000000000000:{resource}"


def test_tags_are_authorized_on_their_arn() -> None:
    arn = "arn:aws:rds:us-east-1:000000000000:db:a"
    assert _find_arn({"Action": "AddTagsToResource", "ResourceName": [arn]}, "r", "1") == arn


def test_nobody_waits_for_a_server_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that accepts and says nothing, as that of a stopped process."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        monkeypatch.setattr(DatabaseServer, "socket", str(path))
        server = DatabaseServer(tmp_path / "primary", certificates=tmp_path, settings=())
        with pytest.raises(pymysql.OperationalError, match="timed out"):
            server.connect_as_root(0.1)


def test_a_replica_whose_data_exist_before_those_of_its_source_waits_for_the_source(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    (tmp_path / "replica-1" / "data").mkdir(parents=True)
    assert registry.list_instances() == []
    (tmp_path / "primary" / "data").mkdir(parents=True)
    primary, replica = registry.list_instances()
    assert (primary.name, replica.name, replica.source) == ("primary", "replica-1", primary.resource)
    assert registry.list_replicas(primary) == [replica]
