"""The temporary instance of a proof: which snapshot it is restored from, with which settings, and what is deleted."""

import datetime
import hashlib
from collections.abc import Iterator

import pytest

from sluice.aws.botocore_client import BotocoreClient
from sluice.aws.secrets import Credentials
from sluice.errors import InstanceBusy, NotRestorable, SnapshotNotFound
from sluice.proof import copy_instance
from sluice.restore.instances import RDS_SERVICE, RdsClient
from tests.unit.rds_answers import PRIMARY, RdsAnswers

BEGAN = datetime.datetime(2026, 11, 29, 9, tzinfo=datetime.UTC)
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:sluice-ProveBackup:one"
COPY = "sluice-primary-proof-11290900" + hashlib.sha256(EXECUTION.encode()).hexdigest()[:4]
NETWORK = (
    "<DBSubnetGroup><DBSubnetGroupName>private</DBSubnetGroupName></DBSubnetGroup>"
    "<VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId>"
    "</VpcSecurityGroupMembership></VpcSecurityGroups><PubliclyAccessible>{public}</PubliclyAccessible>"
    "<StorageType>io2</StorageType><Iops>4000</Iops></DBInstance>"
)


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


def snapshot(name: str, created: str, status: str = "available", resource: str = "db-ABCDEFGHIJKL") -> str:
    return (
        f"<DBSnapshot><DBSnapshotIdentifier>{name}</DBSnapshotIdentifier><Status>{status}</Status>"
        f"<DBInstanceIdentifier>sluice-primary</DBInstanceIdentifier><DbiResourceId>{resource}</DbiResourceId>"
        f"<SnapshotCreateTime>2026-11-{created}T03:05:00Z</SnapshotCreateTime></DBSnapshot>"
    )


def add_instance(rds: RdsAnswers, status: str, pending: str = "") -> None:
    rds.add(
        "DescribeDBInstances",
        f"<DBInstances><DBInstance><DBInstanceIdentifier>{COPY}</DBInstanceIdentifier>"
        f"<DBInstanceStatus>{status}</DBInstanceStatus><Endpoint><Address>copy.host</Address><Port>3306</Port></Endpoint>"
        f"<PendingModifiedValues>{pending}</PendingModifiedValues></DBInstance></DBInstances>",
    )


def test_the_name_is_that_of_a_proof_and_the_same_in_every_step() -> None:
    assert copy_instance.name_instance("sluice-primary", EXECUTION, BEGAN) == COPY
    assert len(copy_instance.name_instance("p" * 44, EXECUTION, BEGAN)) == 63


def test_stacks_that_share_an_instance_have_copies_of_their_own() -> None:
    other = EXECUTION.replace("sluice-ProveBackup", "orders-ProveBackup")
    assert copy_instance.name_instance("sluice-primary", other, BEGAN) != COPY


def test_a_name_that_is_too_long_is_refused_before_and_is_no_leftover(client: RdsClient, rds: RdsAnswers) -> None:
    rds.add("DescribeDBInstances", f"<DBInstances>{PRIMARY}</DBInstances>")
    primary = client.describe_instance("sluice-primary")
    rds.add("DescribeDBSnapshots", f"<DBSnapshots>{snapshot('newest', '27')}</DBSnapshots>")
    [chosen] = client.describe_snapshots("sluice-primary")
    name = copy_instance.name_instance("p" * 45, EXECUTION, BEGAN)
    with pytest.raises(NotRestorable, match="give the primary a shorter one"):
        copy_instance.restore_copy(client, primary, chosen, name)
    assert not copy_instance.delete_copy(client, name)
    assert [operation for operation, _ in rds.requests] == ["DescribeDBInstances", "DescribeDBSnapshots"]


def test_the_newest_complete_snapshot_of_this_instance_is_restored(client: RdsClient, rds: RdsAnswers) -> None:
    rds.add("DescribeDBInstances", f"<DBInstances>{PRIMARY}</DBInstances>")
    primary = client.describe_instance("sluice-primary")
    others = [
        snapshot("being-made", "29", "creating"),
        snapshot("of-the-lost-one", "28", resource="db-OTHER"),
        snapshot("older", "26"),
        snapshot("newest", "27"),
    ]
    rds.add("DescribeDBSnapshots", f"<DBSnapshots>{''.join(others)}</DBSnapshots>")
    assert copy_instance.choose_snapshot(client, primary).identifier == "newest"
    rds.add("DescribeDBSnapshots", f"<DBSnapshots>{''.join(others[:2])}</DBSnapshots>")
    with pytest.raises(SnapshotNotFound, match="RDS makes one each night"):
        copy_instance.choose_snapshot(client, primary)


@pytest.mark.parametrize("public", ["true", "false"])
def test_the_copy_is_in_the_network_of_the_primary_and_has_no_protection(
    client: RdsClient, rds: RdsAnswers, public: str
) -> None:
    primary_text = PRIMARY.replace("</DBInstance>", NETWORK.format(public=public))
    rds.add("DescribeDBInstances", f"<DBInstances>{primary_text}</DBInstances>")
    primary = client.describe_instance("sluice-primary")
    rds.add("DescribeDBSnapshots", f"<DBSnapshots>{snapshot('newest', '27')}</DBSnapshots>")
    [chosen] = client.describe_snapshots("sluice-primary")
    copy_instance.restore_copy(client, primary, chosen, COPY)
    operation, parameters = rds.requests[-1]
    assert operation == "RestoreDBInstanceFromDBSnapshot"
    expected = {
        "DBSnapshotIdentifier": "newest",
        "DBInstanceIdentifier": COPY,
        "DBInstanceClass": "db.t4g.medium",
        "DBSubnetGroupName": "private",
        "DBParameterGroupName": "sluice-primary-11",
        "MultiAZ": "false",
        "DeletionProtection": "false",
        # Functions outside a VPC reach a public primary, so the copy has to be public too.
        "PubliclyAccessible": public,
        "StorageType": "io2",
        "Iops": "4000",
    }
    assert expected.items() <= parameters.items()
    assert "sg-1" in parameters.values()
    rds.refuse("RestoreDBInstanceFromDBSnapshot", "DBInstanceAlreadyExists")
    copy_instance.restore_copy(client, primary, chosen, COPY)


@pytest.mark.parametrize(
    ("status", "pending", "available"),
    [
        ("creating", "", False),
        ("available", "", True),
        ("available", "<MasterUserPassword>****</MasterUserPassword>", False),
    ],
)
def test_the_copy_is_available_without_pending_changes(
    client: RdsClient, rds: RdsAnswers, status: str, pending: str, available: bool
) -> None:
    add_instance(rds, status, pending)
    copy = copy_instance.describe_copy(client, COPY)
    assert (copy is not None) is available
    if copy:
        assert (copy.host, copy.port) == ("copy.host", 3306)


@pytest.mark.parametrize(("username", "is_set"), [("admin", True), ("orders", False)])
def test_only_rds_s_master_user_gets_the_password_of_the_secret(
    client: RdsClient, rds: RdsAnswers, username: str, is_set: bool
) -> None:
    primary = PRIMARY.replace("</DBInstance>", "<MasterUsername>admin</MasterUsername></DBInstance>")
    rds.add("DescribeDBInstances", f"<DBInstances>{primary}</DBInstances>")
    copy = client.describe_instance(COPY)
    assert client.set_admin_password(copy, Credentials(username, "present")) is is_set
    changes = [parameters for operation, parameters in rds.requests if operation == "ModifyDBInstance"]
    assert [change["MasterUserPassword"] for change in changes] == ["present"] * is_set


def test_a_copy_is_deleted_once_and_without_a_snapshot(client: RdsClient, rds: RdsAnswers) -> None:
    add_instance(rds, "available")
    assert copy_instance.delete_copy(client, COPY)
    assert rds.requests[-1] == ("DeleteDBInstance", {"DBInstanceIdentifier": COPY, "SkipFinalSnapshot": "true"})
    add_instance(rds, "deleting")
    assert not copy_instance.delete_copy(client, COPY)
    rds.refuse("DescribeDBInstances", "DBInstanceNotFound", 404)
    assert not copy_instance.delete_copy(client, COPY)
    add_instance(rds, "creating")
    rds.refuse("DeleteDBInstance", "InvalidDBInstanceState")
    with pytest.raises(InstanceBusy):
        copy_instance.delete_copy(client, COPY)


def test_leftovers_are_deleted_until_they_are_gone(client: RdsClient, rds: RdsAnswers) -> None:
    rds.refuse("DescribeDBInstances", "DBInstanceNotFound", 404)
    add_instance(rds, "available")
    add_instance(rds, "available")
    assert copy_instance.delete_leftovers(client, ["gone", COPY]) == [COPY]
    assert [operation for operation, _ in rds.requests].count("DeleteDBInstance") == 1
