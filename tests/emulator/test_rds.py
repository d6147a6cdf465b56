"""RDS's API on real servers: restore, rename, replicas and promotion, with what RDS says meanwhile."""

import datetime
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.database import DatabaseServer, DatabaseServers
from local.database.backups import request_backup
from local.stack.folder import StackFolder
from local.stack.services import EmulatorProcess
from testkit.emulator_harness import wait_until
from tests.memory import folder_in_memory

PRIMARY, REPLICA = "sluice-local-primary", "sluice-local-replica-1"
SECONDS = 90


class Rig:
    """The servers of a stack and an emulator that serves RDS's API for them."""

    def __init__(self, root: Path, memory: Path) -> None:
        folder = StackFolder(root)
        self.servers = DatabaseServers(folder.database, 32, replicas=2, memory=memory)
        self.emulator = EmulatorProcess(folder, has_nightly_backups=False)
        self.servers.start()
        self.emulator.start()
        self.run("CREATE DATABASE d", "CREATE TABLE d.t (n INT PRIMARY KEY)")

    @property
    def rds(self) -> Any:
        return self.emulator.client("rds")

    def run(self, *statements: str, server: DatabaseServer | None = None) -> list[Any]:
        """Run statements as root and return the first column of the last one."""
        with (server or self.servers.primary).connect_as_root() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()]

    def insert(self, number: int) -> None:
        self.run(f"INSERT INTO d.t VALUES ({number})")

    def read(self, name: str) -> list[int]:
        return self.run("SELECT n FROM d.t ORDER BY n", server=self.servers.get(name))

    def describe(self, identifier: str) -> Any:
        return self.rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def wait(self, identifier: str, status: str = "available") -> Any:
        def describe() -> Any:
            try:
                instance = self.describe(identifier)
            except self.rds.exceptions.DBInstanceNotFoundFault:
                return None
            return instance if instance["DBInstanceStatus"] == status else None

        return wait_until(describe, SECONDS)

    def wait_until_streamed(self) -> datetime.datetime:
        """Wait until everything up to now can be restored, and return RDS's latest moment."""
        now = datetime.datetime.now(datetime.UTC)

        def look() -> Any:
            latest = self.describe(PRIMARY).get("LatestRestorableTime")
            return latest if latest and latest >= now else None

        latest: datetime.datetime = wait_until(look, SECONDS)
        return latest

    def delete(self, identifier: str) -> None:
        self.rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)

        def is_gone() -> bool:
            return identifier not in {entry["DBInstanceIdentifier"] for entry in self.list_instances()}

        wait_until(is_gone, SECONDS)

    def list_instances(self) -> list[Any]:
        instances: list[Any] = self.rds.describe_db_instances()["DBInstances"]
        return instances

    def stop(self) -> None:
        self.emulator.stop()
        self.servers.stop()


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, memory: Path) -> Iterator[Rig]:
    """A stack whose primary has a snapshot with the row 1; its log has more."""
    rig = Rig(tmp_path_factory.mktemp("rds"), memory)
    rig.insert(1)
    snapshot = request_backup(rig.servers.root)
    assert snapshot.identifier.startswith("rds:sluice-local-primary-")
    yield rig
    rig.stop()


@pytest.fixture
def own_rig(tmp_path: Path, memory: Path) -> Iterator[Rig]:
    """A stack that a test changes as it likes."""
    (memory / "own").mkdir()
    rig = Rig(tmp_path, memory / "own")
    yield rig
    rig.stop()
    shutil.rmtree(memory / "own")


def expect_error(code: str, call: Callable[..., Any], **parameters: Any) -> None:
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    assert raised.value.response["Error"]["Code"] == code


def test_the_servers_of_the_stack_are_instances(rig: Rig) -> None:
    primary, replica = rig.describe(PRIMARY), rig.describe(REPLICA)
    assert primary["DBInstanceStatus"] == replica["DBInstanceStatus"] == "available"
    assert primary["Endpoint"] == {"Address": "127.0.0.1", "Port": rig.servers.primary.port}
    assert replica["ReadReplicaSourceDBInstanceIdentifier"] == PRIMARY
    assert primary["ReadReplicaDBInstanceIdentifiers"] == [REPLICA, "sluice-local-replica-2"]
    assert replica["StatusInfos"][0]["Normal"]
    assert (primary["BackupRetentionPeriod"], replica["BackupRetentionPeriod"]) == (7, 0)
    assert [group["ParameterApplyStatus"] for group in primary["DBParameterGroups"]] == ["in-sync"]


def test_a_backup_is_an_automated_snapshot_with_a_restorable_window(rig: Rig) -> None:
    [snapshot] = rig.rds.describe_db_snapshots(DBInstanceIdentifier=PRIMARY, SnapshotType="automated")["DBSnapshots"]
    assert snapshot["Status"] == "available"
    latest = rig.wait_until_streamed()
    [backup] = rig.rds.describe_db_instance_automated_backups(DBInstanceIdentifier=PRIMARY)[
        "DBInstanceAutomatedBackups"
    ]
    assert backup["Status"] == "active"
    assert backup["RestoreWindow"]["EarliestTime"] >= snapshot["SnapshotCreateTime"]
    assert backup["RestoreWindow"]["LatestTime"] >= latest


def test_a_restore_to_a_moment_has_what_was_committed_before_it(rig: Rig) -> None:
    rig.insert(2)
    moment = rig.wait_until_streamed()
    time.sleep(1.1)  # RDS's moments have seconds
    rig.insert(3)
    rig.wait_until_streamed()
    target = f"{PRIMARY}-restored-moment"
    begun = rig.rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=PRIMARY,
        TargetDBInstanceIdentifier=target,
        RestoreTime=moment + datetime.timedelta(seconds=1),
        DBParameterGroupName="chosen",
        VpcSecurityGroupIds=["sg-1", "sg-2"],
        MultiAZ=True,
        Tags=[{"Key": "a", "Value": "b"}],
    )["DBInstance"]
    assert begun["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in begun
    restored = rig.wait(target)
    assert rig.read("primary-restored-moment") == [1, 2]
    assert restored["MultiAZ"]
    assert restored["DBParameterGroups"][0]["DBParameterGroupName"] == "chosen"
    assert [group["VpcSecurityGroupId"] for group in restored["VpcSecurityGroups"]] == ["sg-1", "sg-2"]
    tags = rig.rds.list_tags_for_resource(ResourceName=restored["DBInstanceArn"])["TagList"]
    assert tags == [{"Key": "a", "Value": "b"}]
    assert restored["DbiResourceId"] != rig.describe(PRIMARY)["DbiResourceId"]
    rig.delete(target)
    assert not (rig.servers.root / "primary-restored-moment").exists()


def test_a_manual_snapshot_restores_its_rows_users_and_passwords(rig: Rig) -> None:
    before = rig.read("primary")
    rig.run("CREATE USER reader@'%' IDENTIFIED BY 'first password'", "GRANT SELECT ON d.* TO reader@'%'")
    begun = rig.rds.create_db_snapshot(DBInstanceIdentifier=PRIMARY, DBSnapshotIdentifier="by-hand")["DBSnapshot"]
    assert (begun["Status"], begun["SnapshotType"]) == ("creating", "manual")
    rig.wait(PRIMARY)
    rig.insert(10)
    rig.run("SET PASSWORD FOR reader@'%' = PASSWORD('second password')")
    target = f"{PRIMARY}-restored-snapshot"
    rig.rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="by-hand", DBInstanceIdentifier=target)
    rig.wait(target)
    server = rig.servers.get("primary-restored-snapshot")
    with server.connect("reader", "first password") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM d.t ORDER BY n")
        assert [row[0] for row in cursor.fetchall()] == before
    rig.rds.modify_db_instance(
        DBInstanceIdentifier=target, MasterUserPassword="of the admin, new", ApplyImmediately=True
    )
    rig.wait(target)
    server.connect("admin", "of the admin, new").close()
    assert "of the admin, new" not in (rig.servers.root / "instances.json").read_text()
    rig.delete(target)
    rig.rds.delete_db_snapshot(DBSnapshotIdentifier="by-hand")
    expect_error("DBSnapshotNotFound", rig.rds.describe_db_snapshots, DBSnapshotIdentifier="by-hand")


def test_wrong_calls_have_the_errors_of_rds(rig: Rig) -> None:
    rds, target = rig.rds, f"{PRIMARY}-never"
    restore, latest = rds.restore_db_instance_to_point_in_time, {"UseLatestRestorableTime": True}
    source = {"SourceDBInstanceIdentifier": PRIMARY}
    new = {"TargetDBInstanceIdentifier": target}
    expect_error("DBInstanceNotFound", rds.describe_db_instances, DBInstanceIdentifier="sluice-local-absent")
    expect_error("DBInstanceNotFound", restore, SourceDBInstanceIdentifier="absent", **new, **latest)
    expect_error("DBInstanceAlreadyExists", restore, **source, TargetDBInstanceIdentifier=REPLICA, **latest)
    expect_error("InvalidParameterValue", restore, **source, TargetDBInstanceIdentifier="elsewhere", **latest)
    expect_error("InvalidParameterCombination", restore, **source, **new)
    expect_error("InvalidParameterCombination", restore, **new, **latest)
    expect_error("PointInTimeRestoreNotEnabled", restore, SourceDBInstanceIdentifier=REPLICA, **new, **latest)
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    for moment in (tomorrow, tomorrow - datetime.timedelta(days=2)):
        expect_error("InvalidRestoreFault", restore, **source, **new, RestoreTime=moment)
    expect_error("DBInstanceAutomatedBackupNotFound", restore, SourceDbiResourceId="db-GONE", **new, **latest)
    expect_error(
        "DBSnapshotNotFound",
        rds.restore_db_instance_from_db_snapshot,
        DBSnapshotIdentifier="absent",
        DBInstanceIdentifier=target,
    )
    [automated] = rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
    name = automated["DBSnapshotIdentifier"]
    expect_error("InvalidDBSnapshotState", rds.delete_db_snapshot, DBSnapshotIdentifier=name)
    expect_error("InvalidDBInstanceState", rds.promote_read_replica, DBInstanceIdentifier=PRIMARY)
    create = rds.create_db_instance_read_replica
    expect_error(
        "InvalidDBInstanceState",
        create,
        **{**source, "SourceDBInstanceIdentifier": REPLICA},
        DBInstanceIdentifier=target,
    )
    expect_error("DBInstanceAlreadyExists", create, **source, DBInstanceIdentifier=REPLICA)
    modify, now = rds.modify_db_instance, {"ApplyImmediately": True}
    expect_error(
        "DBInstanceAlreadyExists", modify, DBInstanceIdentifier=PRIMARY, NewDBInstanceIdentifier=REPLICA, **now
    )
    expect_error("InvalidParameterValue", modify, DBInstanceIdentifier=PRIMARY, MasterUserPassword="short", **now)
    expect_error(
        "InvalidParameterCombination", modify, DBInstanceIdentifier=REPLICA, MasterUserPassword="long enough", **now
    )
    expect_error("InvalidParameterCombination", modify, DBInstanceIdentifier=PRIMARY, MultiAZ=True)
    expect_error("InvalidParameterCombination", rds.delete_db_instance, DBInstanceIdentifier=REPLICA)
    expect_error("DBInstanceNotFound", rds.reboot_db_instance, DBInstanceIdentifier=target)
    assert target not in {entry["DBInstanceIdentifier"] for entry in rig.list_instances()}


def test_a_change_waits_for_an_available_instance(rig: Rig) -> None:
    replica = "sluice-local-replica-2"
    rig.rds.reboot_db_instance(DBInstanceIdentifier=replica)
    if rig.describe(replica)["DBInstanceStatus"] == "rebooting":
        expect_error("InvalidDBInstanceState", rig.rds.reboot_db_instance, DBInstanceIdentifier=replica)
    rig.wait(replica)
    rig.servers.wait_for_replicas()


def test_a_parameter_group_waits_for_a_reboot(rig: Rig) -> None:
    rig.rds.modify_db_instance(DBInstanceIdentifier=REPLICA, DBParameterGroupName="other", ApplyImmediately=True)
    [group] = rig.wait(REPLICA)["DBParameterGroups"]
    assert group == {"DBParameterGroupName": "other", "ParameterApplyStatus": "pending-reboot"}
    rig.rds.reboot_db_instance(DBInstanceIdentifier=REPLICA)
    assert rig.wait(REPLICA)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    rig.servers.wait_for_replicas()


def test_a_role_changes_only_the_instances_that_its_policy_names(rig: Rig) -> None:
    iam = rig.emulator.client("iam")
    iam.create_user(UserName="operator")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["rds:RestoreDBInstanceToPointInTime", "rds:DescribeDBInstances"],
                "Resource": f"arn:aws:rds:us-east-1:000000000000:db:{PRIMARY}-allowed",
            }
        ],
    }
    iam.put_user_policy(UserName="operator", PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    import boto3  # noqa: PLC0415

    rds = boto3.client(
        "rds",
        endpoint_url=rig.emulator.url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    expect_error("DBInstanceNotFound", rds.describe_db_instances, DBInstanceIdentifier=f"{PRIMARY}-allowed")
    expect_error("AccessDenied", rds.describe_db_instances, DBInstanceIdentifier=PRIMARY)
    restore = {"SourceDBInstanceIdentifier": "absent", "UseLatestRestorableTime": True}
    call = rds.restore_db_instance_to_point_in_time
    expect_error("DBInstanceNotFound", call, TargetDBInstanceIdentifier=f"{PRIMARY}-allowed", **restore)
    expect_error("AccessDenied", call, TargetDBInstanceIdentifier=f"{PRIMARY}-other", **restore)


def collect_events(rig: Rig) -> Callable[[], set[str]]:
    """Send the events of RDS to a queue, and return a function that returns the numbers of those received so far."""
    events, sqs = rig.emulator.client("events"), rig.emulator.client("sqs")
    queue = sqs.create_queue(QueueName="rds-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.rds"], "detail-type": ["RDS DB Instance Event"]}
    events.put_rule(Name="rds", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="rds", Targets=[{"Id": "queue", "Arn": arn}])
    received: set[str] = set()

    def collect() -> set[str]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        received.update(json.loads(message["Body"])["detail"]["EventID"] for message in messages)
        return received

    return collect


@pytest.mark.slow
def test_a_lost_primary_is_replaced_and_everything_survives_kills(own_rig: Rig) -> None:
    rig, rds = own_rig, own_rig.rds
    collect, port = collect_events(rig), rig.servers.primary.port
    rig.insert(1)
    request_backup(rig.servers.root)
    rig.insert(2)
    rig.wait_until_streamed()
    rig.servers.primary.kill()
    shutil.rmtree(rig.servers.primary.data)
    assert rig.describe(PRIMARY)["DBInstanceStatus"] == "failed"

    # The emulator is killed in the middle of the restore, and goes on.
    restored = f"{PRIMARY}-restored-1"
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=PRIMARY, TargetDBInstanceIdentifier=restored, UseLatestRestorableTime=True
    )
    rig.emulator.kill()
    rig.emulator.start()
    rds = rig.rds
    assert rig.describe(restored)["DBInstanceStatus"] in {"creating", "backing-up"}
    rig.wait(restored)
    assert rig.read("primary-restored-1") == [1, 2]

    # The replicas stay with the lost instance, and the restored one gets its identifier, port included.
    for old, new in ((PRIMARY, f"{PRIMARY}-lost-1"), (restored, PRIMARY)):
        rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
        rig.wait(new, "failed" if "lost" in new else "available")
    assert rig.servers.primary.port == port == rig.describe(PRIMARY)["Endpoint"]["Port"]
    assert rig.describe(REPLICA)["ReadReplicaSourceDBInstanceIdentifier"] == f"{PRIMARY}-lost-1"
    rig.insert(3)
    assert rig.read("replica-1") == [1, 2]

    # Each replica is renamed, and created again.
    for name in ("replica-1", "replica-2"):
        identifier = f"sluice-local-{name}"
        rds.modify_db_instance(
            DBInstanceIdentifier=identifier, NewDBInstanceIdentifier=f"{identifier}-lost-1", ApplyImmediately=True
        )
        rig.wait(f"{identifier}-lost-1")
        rds.create_db_instance_read_replica(SourceDBInstanceIdentifier=PRIMARY, DBInstanceIdentifier=identifier)
        rig.wait(identifier)
    rig.servers.wait_for_replicas()
    assert rig.read("replica-1") == rig.read("replica-2") == [1, 2, 3]
    rig.delete(f"{REPLICA}-lost-1")

    # `make down` and `make up`, and a kill of everything.
    def stop_all() -> None:
        rig.stop()

    def kill_all() -> None:
        rig.emulator.kill()
        for server in (*rig.servers.all, *rig.servers.others):
            server.kill()

    for number, end in ((4, stop_all), (5, kill_all)):
        end()
        servers = DatabaseServers(rig.servers.root, 32, replicas=2)
        servers.start()
        rig.emulator.start()
        rig.insert(number)
        servers.wait_for_replicas()
        assert rig.read("replica-2") == list(range(1, number + 1))
        assert {entry["DBInstanceIdentifier"]: entry["DBInstanceStatus"] for entry in rig.list_instances()} == {
            PRIMARY: "available",
            f"{PRIMARY}-lost-1": "failed",
            REPLICA: "available",
            "sluice-local-replica-2": "available",
            "sluice-local-replica-2-lost-1": "available",
        }
    wait_until(lambda: {"RDS-EVENT-0019", "RDS-EVENT-0004", "RDS-EVENT-0006"} <= collect(), SECONDS)


@pytest.mark.slow
def test_a_promoted_replica_becomes_the_primary_of_new_replicas(own_rig: Rig) -> None:
    rig, rds = own_rig, own_rig.rds
    rig.insert(1)
    rig.servers.wait_for_replicas()
    rig.servers.primary.kill()
    rds.promote_read_replica(DBInstanceIdentifier="sluice-local-replica-2", BackupRetentionPeriod=7)
    promoted = rig.wait("sluice-local-replica-2")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in promoted
    assert rig.run("SELECT @@read_only", server=rig.servers.get("replica-2")) == [0]
    for old, new in ((PRIMARY, f"{PRIMARY}-lost-1"), ("sluice-local-replica-2", PRIMARY)):
        rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
        rig.wait(new)
    rig.insert(2)
    for name in ("replica-1", "replica-2"):
        identifier = f"sluice-local-{name}"
        if name == "replica-1":
            rds.modify_db_instance(
                DBInstanceIdentifier=identifier, NewDBInstanceIdentifier=f"{identifier}-lost-1", ApplyImmediately=True
            )
            rig.wait(f"{identifier}-lost-1")
        rds.create_db_instance_read_replica(SourceDBInstanceIdentifier=PRIMARY, DBInstanceIdentifier=identifier)
        rig.wait(identifier)
    rig.insert(3)
    rig.servers.wait_for_replicas()
    assert rig.read("replica-1") == rig.read("replica-2") == [1, 2, 3]
    # The numbers of its changes continue those of the lost primary, and it is backed up.
    [lost], [own] = (
        rig.run("SELECT @@gtid_binlog_pos", server=rig.servers.get(name)) for name in ("primary-lost-1", "primary")
    )
    assert [int(own.split("-")[2]) - int(lost.split("-")[2])] == [2]
    rig.wait_until_streamed()
