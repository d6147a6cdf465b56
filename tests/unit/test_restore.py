"""A restore: what it plans and refuses, and its steps from the lost primary to the new replicas."""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from sluice.aws.secrets import Credentials
from sluice.errors import FutureTime, InstanceBusy, InstanceFailed, InvalidInput, RestoreRefused
from sluice.restore.instances import RdsClient
from sluice.restore.restore_plan import STAMP_TAG, Planner, RestorePlan, parse_plan
from sluice.restore.restore_report import build_report, describe_failed_step, describe_failure
from sluice.restore.restore_request import RestoreRequest, create_stamp, find_beginning, parse_restore_request
from sluice.restore.switch_over import SwitchOver
from tests.unit.fake_rds import LATEST, FakeRds

STAMP = "261129041500"
NOW = datetime.datetime(2026, 11, 29, 4, 15, tzinfo=datetime.UTC)
REPLICAS = ("replica-a", "replica-b")
GROUP = {"DBParameterGroupName": "mine", "ParameterApplyStatus": "in-sync"}


@pytest.fixture
def rds() -> FakeRds:
    fake = FakeRds()
    fake.add(
        "primary",
        MultiAZ=True,
        DBParameterGroups=[GROUP],
        VpcSecurityGroups=[{"VpcSecurityGroupId": "sg-1"}],
        DBSubnetGroup={"DBSubnetGroupName": "subnets"},
        EnabledCloudwatchLogsExports=["error"],
        MonitoringInterval=60,
        MonitoringRoleArn="arn:role",
        MaxAllocatedStorage=100,
        StorageType="gp3",
        Iops=3000,
    )
    for name in REPLICAS:
        fake.add(name, ReadReplicaSourceDBInstanceIdentifier="primary", BackupRetentionPeriod=0)
    fake.add_backup("primary")
    return fake


def plan(rds: FakeRds, **request: Any) -> RestorePlan:
    planned = Planner(RdsClient(rds), "primary", REPLICAS).plan_restore(RestoreRequest(**request), STAMP)
    return parse_plan(msgspec.to_builtins(planned))


def finish(step: Callable[[], Any]) -> Any:
    """Repeat a step as the workflow does."""
    for _ in range(20):
        try:
            return step()
        except InstanceBusy:
            continue
    raise AssertionError("the step does not end")


def switch(rds: FakeRds, planned: RestorePlan) -> SwitchOver:
    """Run all steps, each with a new object, as if each ran in a function of its own."""
    finish(lambda: SwitchOver(RdsClient(rds), planned).prepare_primary())
    finish(lambda: SwitchOver(RdsClient(rds), planned).configure_primary())
    finish(lambda: SwitchOver(RdsClient(rds), planned).await_primary())
    finish(lambda: SwitchOver(RdsClient(rds), planned).put_lost_aside())
    finish(lambda: SwitchOver(RdsClient(rds), planned).take_identifier())
    for replica in planned.replicas:
        finish(partial(SwitchOver(RdsClient(rds), planned).replace_replica, replica))
    return SwitchOver(RdsClient(rds), planned)


def test_the_latest_moment_is_the_default(rds: FakeRds) -> None:
    planned = plan(rds)
    assert (planned.kind, planned.moment, planned.source) == ("moment", None, {"SourceDBInstanceIdentifier": "primary"})
    assert (planned.candidate, planned.lost) == (f"primary-restored-{STAMP}", f"primary-lost-{STAMP}")
    assert planned.replicas[1].old == f"replica-b-old-{STAMP}"
    assert planned.summary == (
        f"The latest restorable state (now 2026-11-29T03:00:00Z) becomes primary; primary-lost-{STAMP} keeps the "
        "present instance."
    )
    assert rds.list_changes() == []


def test_a_moment_in_the_window_is_restored_exactly(rds: FakeRds) -> None:
    planned = plan(rds, to=LATEST - datetime.timedelta(hours=1))
    assert planned.parse_moment() == LATEST - datetime.timedelta(hours=1)


REFUSALS: list[tuple[dict[str, Any], Callable[[FakeRds], object], str]] = [
    (
        {"to": LATEST + datetime.timedelta(minutes=1)},
        lambda _: None,
        "2026-11-29T03:01:00Z is outside the restorable window of primary, which is 2026-11-22T03:05:00Z to 2026-11-29",
    ),
    ({}, lambda rds: rds.backups.clear(), "primary has no automated backups: restore a snapshot, promote a replica, "),
    ({"snapshot": "s"}, lambda _: None, "There is no snapshot s; the newest of primary are: none."),
    (
        {"snapshot": "s"},
        lambda rds: rds.snapshots.append(
            {"DBSnapshotIdentifier": "s", "Status": "available", "DBInstanceIdentifier": "other"}
        ),
        "The snapshot s is of another instance, other, and not of primary.",
    ),
    (
        {"snapshot": "s"},
        lambda rds: rds.snapshots.append(
            {"DBSnapshotIdentifier": "s", "Status": "creating", "DBInstanceIdentifier": "primary"}
        ),
        "The snapshot s has the status creating: start again when it is done.",
    ),
    ({"promote": "replica-3"}, lambda _: None, "There is no replica-3; the replicas are: replica-1, replica-2."),
    (
        {"promote": "replica-1"},
        lambda rds: rds.instances.pop("replica-a"),
        "replica-1 cannot be promoted: RDS has no instance replica-a.",
    ),
    (
        {"promote": "replica-1"},
        lambda rds: rds.instances["replica-a"].update(DBInstanceStatus="rebooting"),
        "replica-1 cannot be promoted now: replica-a has the status rebooting.",
    ),
    (
        {},
        lambda rds: rds.instances["primary"].update(DBInstanceStatus="modifying"),
        "RDS is changing primary (status modifying) and does not rename it now: start again when it is available.",
    ),
    (
        {},
        lambda rds: rds.instances["primary"].update(DBInstanceStatus="incompatible-parameters"),
        "primary has the status incompatible-parameters, in which RDS does not rename it: make it available, or",
    ),
    (
        {},
        lambda rds: rds.instances["primary"].update(MasterUserSecret={"SecretArn": "arn"}),
        "RDS manages the password of primary itself",
    ),
    ({}, lambda rds: rds.instances.clear(), "primary and its replicas are gone, and with them their settings"),
]


@pytest.mark.parametrize(("request_fields", "break_it", "sentence"), REFUSALS)
def test_a_wrong_request_is_refused_with_a_sentence(
    rds: FakeRds, request_fields: dict[str, Any], break_it: Callable[[FakeRds], object], sentence: str
) -> None:
    break_it(rds)
    with pytest.raises(RestoreRefused) as refusal:
        plan(rds, **request_fields)
    assert str(refusal.value).startswith(sentence)
    assert rds.list_changes() == []


def test_a_name_that_is_too_long_is_refused(rds: FakeRds) -> None:
    with pytest.raises(RestoreRefused, match="is too long"):
        Planner(RdsClient(rds), "p" * 42, ()).plan_restore(RestoreRequest(), STAMP)


def test_an_input_has_one_source_that_is_not_in_the_future() -> None:
    assert parse_restore_request({"to": "2026-11-29T03:00:00Z"}, NOW).to == LATEST
    with pytest.raises(InvalidInput, match="one source"):
        parse_restore_request({"snapshot": "s", "promote": "replica-1"}, NOW)
    with pytest.raises(FutureTime):
        parse_restore_request({"to": "2026-11-30T03:00:00Z"}, NOW)
    assert create_stamp(NOW) == STAMP


def test_a_stamp_is_the_time_at_which_its_restore_began() -> None:
    later = NOW + datetime.timedelta(hours=3)
    assert find_beginning(parse_restore_request({"stamp": STAMP}, later), later) == NOW
    assert find_beginning(parse_restore_request({}, later), later) == later
    with pytest.raises(InvalidInput):
        parse_restore_request({"stamp": "yesterday"}, NOW)
    with pytest.raises(InvalidInput, match="269999000000 is not the stamp of a restore"):
        parse_restore_request({"stamp": "269999000000"}, NOW)
    with pytest.raises(FutureTime):
        parse_restore_request({"stamp": STAMP}, NOW - datetime.timedelta(seconds=1))


def test_the_restored_instance_takes_the_place_of_the_lost_one(rds: FakeRds) -> None:
    lost = rds.instances["primary"]["DbiResourceId"]
    steps = switch(rds, plan(rds))
    [restore] = [parameters for name, parameters in rds.calls if name == "RestoreDBInstanceToPointInTime"]
    assert restore["UseLatestRestorableTime"] is True
    assert {name: restore[name] for name in ("DBParameterGroupName", "VpcSecurityGroupIds", "DBSubnetGroupName")} == {
        "DBParameterGroupName": "mine",
        "VpcSecurityGroupIds": ["sg-1"],
        "DBSubnetGroupName": "subnets",
    }
    assert (restore["MultiAZ"], restore["EnableCloudwatchLogsExports"], restore["MaxAllocatedStorage"]) == (
        True,
        ["error"],
        100,
    )
    assert "Iops" not in restore  # gp3's baseline
    assert rds.instances[f"primary-lost-{STAMP}"]["DbiResourceId"] == lost
    new = rds.instances["primary"]
    assert rds.tags[new["DBInstanceArn"]] == {STAMP_TAG: STAMP}
    assert (new["MonitoringInterval"], new["MonitoringRoleArn"]) == (60, "arn:role")
    assert {rds.instances[name]["ReadReplicaSourceDBInstanceIdentifier"] for name in REPLICAS} == {"primary"}
    assert [instance.identifier for instance in steps.list_leftovers()] == [
        f"primary-lost-{STAMP}",
        f"replica-a-old-{STAMP}",
        f"replica-b-old-{STAMP}",
    ]


def test_a_restore_that_continues_does_nothing_twice(rds: FakeRds) -> None:
    switch(rds, plan(rds))
    changes = rds.list_changes()
    again = plan(rds, stamp=STAMP)
    assert again.has_lost_instance
    assert again.summary.endswith(f"primary-lost-{STAMP} keeps the lost instance.")
    switch(rds, again)
    assert rds.list_changes() == changes


def test_a_restore_continues_without_the_lost_instance_and_changes_no_setting(rds: FakeRds) -> None:
    switch(rds, plan(rds))
    del rds.instances[f"primary-lost-{STAMP}"]
    changes = rds.list_changes()
    again = plan(rds, stamp=STAMP)
    assert (again.has_lost_instance, again.notices) == (False, [])
    steps = switch(rds, again)
    assert rds.list_changes() == changes
    assert steps.delete_old_replicas() == [f"replica-a-old-{STAMP}", f"replica-b-old-{STAMP}"]


def test_a_restore_that_another_one_followed_does_not_continue(rds: FakeRds) -> None:
    switch(rds, plan(rds))
    later = Planner(RdsClient(rds), "primary", REPLICAS).plan_restore(RestoreRequest(), "261129051500")
    switch(rds, later)
    changes = rds.list_changes()
    for existing in (f"primary-lost-{STAMP}", f"replica-a-old-{STAMP}"):
        with pytest.raises(RestoreRefused, match=f"made {existing}, but not the present primary: another one followed"):
            plan(rds, stamp=STAMP, delete_old_replicas=True)
        del rds.instances[existing]
    assert rds.list_changes() == changes


def test_a_stamp_without_any_instance_begins_from_the_start_and_says_so(rds: FakeRds) -> None:
    beginning = f"No instance of the restore {STAMP} exists, so it begins from the start."
    assert plan(rds, stamp=STAMP).summary.startswith(beginning)


def test_a_primary_that_is_gone_is_restored_from_its_retained_backup(rds: FakeRds) -> None:
    del rds.instances["primary"]
    rds.backups[0]["Status"] = "retained"
    planned = plan(rds)
    assert planned.source == {"SourceDbiResourceId": "db-0"}
    assert planned.notices[0].startswith("primary is gone, so the new primary gets the settings of replica-a")
    switch(rds, planned)
    new = rds.instances["primary"]
    assert rds.tags[new["DBInstanceArn"]] == {STAMP_TAG: STAMP}
    # The replica whose settings it gets has no backups.
    assert new["BackupRetentionPeriod"] == 7
    assert f"primary-lost-{STAMP}" not in rds.instances


def test_a_promoted_replica_gets_the_settings_of_the_primary(rds: FakeRds) -> None:
    promoted = rds.instances["replica-b"]["DbiResourceId"]
    planned = plan(rds, promote="replica-2")
    switch(rds, planned)
    new = rds.instances["primary"]
    assert new["DbiResourceId"] == promoted
    assert (new["BackupRetentionPeriod"], new["MultiAZ"]) == (7, True)
    assert new["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert rds.instances["replica-b"]["ReadReplicaSourceDBInstanceIdentifier"] == "primary"
    assert "RestoreDBInstanceToPointInTime" not in rds.list_changes()


def test_a_snapshot_is_restored(rds: FakeRds) -> None:
    rds.snapshots.append(
        {
            "DBSnapshotIdentifier": "s",
            "Status": "available",
            "DBInstanceIdentifier": "primary",
            "SnapshotCreateTime": LATEST,
        }
    )
    planned = plan(rds, snapshot="s")
    assert planned.summary.startswith("Snapshot s of 2026-11-29T03:00:00Z becomes primary")
    switch(rds, planned)
    assert rds.list_changes()[0] == "RestoreDBInstanceFromDBSnapshot"


def test_only_old_replicas_are_deleted(rds: FakeRds) -> None:
    steps = switch(rds, plan(rds))
    assert steps.delete_old_replicas() == [f"replica-a-old-{STAMP}", f"replica-b-old-{STAMP}"]
    assert f"primary-lost-{STAMP}" in rds.instances
    assert rds.list_changes().count("DeleteDBInstance") == 2


STUCK = (
    *("failed", "stopped", "storage-full", "insufficient-capacity", "incompatible-restore", "restore-error"),
    *("inaccessible-encryption-credentials", "inaccessible-encryption-credentials-recoverable"),
)


@pytest.mark.parametrize("status", STUCK)
def test_an_instance_that_failed_is_not_waited_for(rds: FakeRds, status: str) -> None:
    planned = plan(rds)
    with pytest.raises(InstanceBusy):
        SwitchOver(RdsClient(rds), planned).prepare_primary()
    rds.instances[planned.candidate]["DBInstanceStatus"] = status
    with pytest.raises(InstanceFailed, match=f"the status {status} for"):
        SwitchOver(RdsClient(rds), planned).prepare_primary()


@pytest.mark.parametrize("status", [status for status in STUCK if status != "failed"])
def test_a_primary_that_rds_does_not_rename_is_refused_at_once(rds: FakeRds, status: str) -> None:
    rds.instances["primary"]["DBInstanceStatus"] = status
    with pytest.raises(RestoreRefused, match=f"the status {status}, in which RDS does not rename it"):
        plan(rds)


def test_only_the_master_user_gets_the_password_of_the_secret(rds: FakeRds) -> None:
    steps = switch(rds, plan(rds))
    rds.instances["primary"]["MasterUsername"] = "root"
    assert steps.set_password(lambda: Credentials("administrator", "secret")) is False
    assert steps.set_password(lambda: Credentials("root", "secret")) is True
    assert [parameters for _, parameters in rds.calls if "MasterUserPassword" in parameters] == [
        {"DBInstanceIdentifier": "primary", "ApplyImmediately": True, "MasterUserPassword": "secret"}
    ]


def test_the_report_names_what_is_left(rds: FakeRds) -> None:
    planned = plan(rds)
    leftovers = switch(rds, planned).list_leftovers()
    health = {
        "primary": {"accepts_writes": True},
        "replicas": [{"name": "replica-1", "replicates": True}],
        "summary": "The primary accepts writes.",
        "loaded": 3,
    }
    state: dict[str, Any] = {
        "began": "2026-11-29T04:15:00Z",
        "execution_began": "2026-11-29T04:15:00Z",
        "request": {"stamp": None},
        "database": {"health": health},
        "recovery": {"output": {"replay": {"planned": 0, "loaded": 0}}},
        "password": {"is_set": True},
    }
    report = build_report(planned, state, leftovers, NOW + datetime.timedelta(minutes=20))
    assert (report["status"], report["seconds"]) == ("complete", 1200)
    assert "3 batches were loaded since it began; none is missing." in report["summary"]
    assert f"primary-lost-{STAMP} (db.t4g.medium, 20 GiB)" in report["summary"]
    assert "The restore took 1200 s." in report["summary"]
    state |= {"request": {"stamp": STAMP}, "execution_began": "2026-11-29T04:25:00Z"}
    continued = build_report(planned, state, leftovers, NOW + datetime.timedelta(minutes=20))
    assert (continued["is_continued"], continued["seconds"]) == (True, 600)
    sentence = "The restore began at 2026-11-29T04:15:00Z and was continued; this part took 600 s."
    assert sentence in continued["summary"]
    health["replicas"] = [{"name": "replica-1", "replicates": False}]
    assert build_report(planned, state, [], NOW)["status"] == "needs_attention"


def test_a_failure_says_the_step_and_how_to_go_on() -> None:
    request: dict[str, Any] = {"to": "2026-11-29T03:00:00Z", "snapshot": None, "promote": None}
    state: dict[str, Any] = {"request": request, "stamp": STAMP}
    assert describe_failure(state, "no.") == (
        "The restore failed while planning the restore: no. Nothing was changed. No accepted write is lost: the "
        "batches are in the bucket."
    )
    state |= {"plan": {}, "prepared": {}, "configured": {}, "settled": {}}
    text = describe_failure(state, "the quota is used up")
    assert text.startswith(
        "The restore failed while renaming the lost primary: the quota is used up. No accepted write"
    )
    assert text.endswith(f"`sluice restore --to 2026-11-29T03:00:00Z --continue {STAMP}`.")
    steps = ("put_aside", "switched", "password", "ready", "migrated", "recovery", "replicas_replaced")
    state |= {key: {} for key in steps}
    assert describe_failed_step(state) == "checking the health of the new database"
    request |= {"to": None, "delete_old_replicas": True}
    assert describe_failed_step(state) == "deleting the old replicas"
    assert describe_failed_step({**state, "deleted": {}, "database": {}}) == "reporting the restore"
    assert describe_failure(state, "no").endswith(f"`sluice restore --delete-old-replicas --continue {STAMP}`.")


def test_a_failed_primary_is_renamed_if_rds_allows_it(rds: FakeRds) -> None:
    rds.instances["primary"]["DBInstanceStatus"] = "failed"
    planned = plan(rds)
    with pytest.raises(InstanceFailed, match="RDS does not rename primary, which has failed: delete it"):
        SwitchOver(RdsClient(rds), planned).put_lost_aside()
