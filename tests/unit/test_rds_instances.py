"""The client of RDS: what it sends, what it makes of the answers, and which error stands for which."""

import datetime
from collections.abc import Callable, Iterator

import pytest

from sluice.aws.botocore_client import BotocoreClient
from sluice.errors import (
    AwsError,
    InstanceBusy,
    InstanceExists,
    InstanceNotFound,
    NotRestorable,
    SluiceError,
    SnapshotNotFound,
)
from sluice.restore.instances import RDS_SERVICE, RdsClient
from tests.unit.rds_answers import PRIMARY, RdsAnswers

MOMENT = datetime.datetime(2026, 11, 29, 3, 5, tzinfo=datetime.UTC)


@pytest.fixture
def rds() -> Iterator[RdsAnswers]:
    with RdsAnswers() as server:
        yield server


@pytest.fixture
def client(rds: RdsAnswers, monkeypatch: pytest.MonkeyPatch) -> RdsClient:
    monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", rds.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return RdsClient(BotocoreClient(RDS_SERVICE))


def test_an_instance_is_described(client: RdsClient, rds: RdsAnswers) -> None:
    rds.add("DescribeDBInstances", f"<DBInstances>{PRIMARY}</DBInstances>")
    instance = client.describe_instance("sluice-primary")
    assert (instance.status, instance.is_available, instance.resource_id) == ("available", True, "db-ABCDEFGHIJKL")
    assert (instance.host, instance.port) == ("sluice-primary.abc.eu-west-1.rds.amazonaws.com", 3306)
    assert (instance.pending_changes, instance.parameter_status) == (("MasterUserPassword",), "pending-reboot")
    assert instance.source_identifier == ""
    assert rds.requests == [("DescribeDBInstances", {"DBInstanceIdentifier": "sluice-primary"})]


def test_an_instance_that_is_being_created_has_no_endpoint_yet(client: RdsClient, rds: RdsAnswers) -> None:
    creating = "<DBInstanceIdentifier>new</DBInstanceIdentifier><DBInstanceStatus>creating</DBInstanceStatus>"
    rds.add("DescribeDBInstances", f"<DBInstances><DBInstance>{creating}</DBInstance></DBInstances>")
    instance = client.describe_instance("new")
    assert (instance.is_available, instance.host, instance.port, instance.parameter_status) == (False, "", 0, "")


def test_an_instance_that_is_gone_is_none(client: RdsClient, rds: RdsAnswers) -> None:
    rds.refuse("DescribeDBInstances", "DBInstanceNotFound", 404)
    assert client.look_up_instance("sluice-primary") is None


def test_the_backup_of_the_running_instance_comes_first(client: RdsClient, rds: RdsAnswers) -> None:
    def backup(resource: str, status: str, latest: str) -> str:
        window = f"<EarliestTime>2026-11-22T03:05:00Z</EarliestTime><LatestTime>{latest}</LatestTime>"
        return (
            f"<DBInstanceAutomatedBackup><DBInstanceIdentifier>sluice-primary</DBInstanceIdentifier>"
            f"<DbiResourceId>{resource}</DbiResourceId><Status>{status}</Status>"
            f"<RestoreWindow>{window}</RestoreWindow></DBInstanceAutomatedBackup>"
        )

    backups = "".join(
        [
            backup("db-OLDER", "retained", "2026-11-25T03:05:00Z"),
            backup("db-OLD", "retained", "2026-11-26T03:05:00Z"),
            backup("db-NOW", "active", "2026-11-24T03:05:00Z"),
        ]
    )
    rds.add("DescribeDBInstanceAutomatedBackups", f"<DBInstanceAutomatedBackups>{backups}</DBInstanceAutomatedBackups>")
    described = client.describe_backups("sluice-primary")
    assert [backup.resource_id for backup in described] == ["db-NOW", "db-OLD", "db-OLDER"]
    assert described[0].latest == datetime.datetime(2026, 11, 24, 3, 5, tzinfo=datetime.UTC)
    assert client.describe_backups("sluice-primary") == ()
    rds.refuse("DescribeDBInstanceAutomatedBackups", "DBInstanceAutomatedBackupNotFound", 404)
    assert client.describe_backups("sluice-primary") == ()


def test_snapshots_of_all_pages_come_newest_first(client: RdsClient, rds: RdsAnswers) -> None:
    def snapshot(name: str, created: str) -> str:
        time = f"<SnapshotCreateTime>{created}</SnapshotCreateTime>" if created else ""
        return f"<DBSnapshot><DBSnapshotIdentifier>{name}</DBSnapshotIdentifier>{time}</DBSnapshot>"

    old, new = snapshot("rds:old", "2026-11-27T03:05:00Z"), snapshot("rds:new", "2026-11-28T03:05:00Z")
    rds.add("DescribeDBSnapshots", f"<DBSnapshots>{old}{snapshot('begun', '')}</DBSnapshots><Marker>more</Marker>")
    rds.add("DescribeDBSnapshots", f"<DBSnapshots>{new}</DBSnapshots>")
    assert [each.identifier for each in client.describe_snapshots("sluice-primary")] == ["rds:new", "rds:old", "begun"]
    assert [parameters.get("Marker") for _, parameters in rds.requests] == [None, "more"]
    with pytest.raises(SnapshotNotFound):
        client.describe_snapshot("rds:older")


def test_a_moment_or_the_latest_one_is_restored(client: RdsClient, rds: RdsAnswers) -> None:
    source = {"SourceDBInstanceIdentifier": "sluice-primary"}
    client.restore_to_moment(source, "new", MOMENT, {"MultiAZ": True, "VpcSecurityGroupIds": ["sg-1", "sg-2"]})
    client.restore_to_moment({"SourceDbiResourceId": "db-OLD"}, "new", None, {})
    assert [parameters for _, parameters in rds.requests] == [
        {
            "SourceDBInstanceIdentifier": "sluice-primary",
            "TargetDBInstanceIdentifier": "new",
            "RestoreTime": "2026-11-29T03:05:00Z",
            "MultiAZ": "true",
            "VpcSecurityGroupIds.VpcSecurityGroupId.1": "sg-1",
            "VpcSecurityGroupIds.VpcSecurityGroupId.2": "sg-2",
        },
        {"SourceDbiResourceId": "db-OLD", "TargetDBInstanceIdentifier": "new", "UseLatestRestorableTime": "true"},
    ]


def test_changes_are_made_at_once(client: RdsClient, rds: RdsAnswers) -> None:
    client.restore_snapshot("rds:new", "new", {"DBInstanceClass": "db.t4g.medium"})
    client.rename_instance("new", "sluice-primary")
    client.set_master_password("sluice-primary", "secret")
    client.reboot_instance("sluice-primary")
    client.promote_replica("sluice-replica-2", 7)
    client.create_replica("sluice-primary", "sluice-replica-1", {})
    client.delete_instance("sluice-replica-1-lost")
    primary = {"DBInstanceIdentifier": "sluice-primary"}
    assert rds.requests == [
        (
            "RestoreDBInstanceFromDBSnapshot",
            {"DBSnapshotIdentifier": "rds:new", "DBInstanceIdentifier": "new", "DBInstanceClass": "db.t4g.medium"},
        ),
        (
            "ModifyDBInstance",
            {
                "DBInstanceIdentifier": "new",
                "NewDBInstanceIdentifier": "sluice-primary",
                "ApplyImmediately": "true",
            },
        ),
        ("ModifyDBInstance", primary | {"MasterUserPassword": "secret", "ApplyImmediately": "true"}),
        ("RebootDBInstance", primary),
        ("PromoteReadReplica", {"DBInstanceIdentifier": "sluice-replica-2", "BackupRetentionPeriod": "7"}),
        (
            "CreateDBInstanceReadReplica",
            {"SourceDBInstanceIdentifier": "sluice-primary", "DBInstanceIdentifier": "sluice-replica-1"},
        ),
        ("DeleteDBInstance", {"DBInstanceIdentifier": "sluice-replica-1-lost", "SkipFinalSnapshot": "true"}),
    ]


def test_tags_of_aws_itself_are_left_out(client: RdsClient, rds: RdsAnswers) -> None:
    tags = "".join(f"<Tag><Key>{key}</Key><Value>v</Value></Tag>" for key in ("team", "aws:cloudformation:stack-name"))
    rds.add("ListTagsForResource", f"<TagList>{tags}</TagList>")
    assert client.read_tags("arn:1") == {"team": "v"}
    client.add_tags("arn:1", {"team": "v"})
    assert rds.requests[1][1] == {"ResourceName": "arn:1", "Tags.Tag.1.Key": "team", "Tags.Tag.1.Value": "v"}


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("DBInstanceNotFound", InstanceNotFound),
        ("DBInstanceAutomatedBackupNotFound", InstanceNotFound),
        ("DBInstanceAlreadyExists", InstanceExists),
        ("DBSnapshotNotFound", SnapshotNotFound),
        ("InvalidDBInstanceState", InstanceBusy),
        ("InvalidDBSnapshotState", InstanceBusy),
        ("PointInTimeRestoreNotEnabled", NotRestorable),
        ("InvalidRestoreFault", NotRestorable),
        ("InstanceQuotaExceeded", AwsError),
        ("KMSKeyNotAccessibleFault", AwsError),
    ],
)
def test_each_error_has_its_class(
    client: RdsClient, rds: RdsAnswers, code: str, error_class: type[SluiceError]
) -> None:
    rds.refuse("RestoreDBInstanceToPointInTime", code)
    with pytest.raises(SluiceError) as raised:
        client.restore_to_moment({"SourceDBInstanceIdentifier": "sluice-primary"}, "new", None, {})
    assert type(raised.value) is error_class
    assert code in str(raised.value)
    assert "says RDS" not in str(raised.value)


@pytest.mark.parametrize("operation", ["reboot_instance", "delete_instance", "describe_instance"])
def test_an_error_names_its_subject(client: RdsClient, rds: RdsAnswers, operation: str) -> None:
    for name in ("RebootDBInstance", "DeleteDBInstance", "DescribeDBInstances"):
        rds.refuse(name, "DBInstanceNotFound", 404)
    call: Callable[[str], object] = getattr(client, operation)
    with pytest.raises(InstanceNotFound, match="sluice-primary"):
        call("sluice-primary")
