"""What a rollback and a deletion delete, retain, and fail on."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator, StackFailedError, build_function, deploy_stack, wait_until

# Its name is taken, so its creation fails, after everything that it depends on.
REFUSED = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/deletion/taken"}}

RESPONDER = """
    import json, urllib.request

    def handle(event, context):
        reason = ""
        if event["RequestType"] == "Create":
            reason = "refused"
        elif event["PhysicalResourceId"] != "tables":
            reason = "unknown id"
        elif event["ResourceProperties"].get("Stuck"):
            reason = "stuck"
        response = {
            "Status": "FAILED" if reason else "SUCCESS", "Reason": reason, "PhysicalResourceId": "tables",
            "StackId": event["StackId"], "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
        }
        request = urllib.request.Request(event["ResponseURL"], json.dumps(response).encode(), method="PUT")
        urllib.request.urlopen(request).close()
"""


def _deploy_until_refused(emulator: Emulator, name: str, resources: dict[str, Any]) -> str:
    """Deploy the resources and then one that is refused; returns the status of the stack after the rollback."""
    refused = {**REFUSED, "DependsOn": list(resources)}
    logs = emulator.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix="/deletion/taken")["logGroups"]:
        logs.create_log_group(logGroupName="/deletion/taken")
    with pytest.raises(StackFailedError, match=r"/deletion/taken' already exists"):
        deploy_stack(emulator, name, {"Resources": {**resources, "Refused": refused}})
    return _read_status(emulator, name)


def _delete_stack(emulator: Emulator, name: str) -> str:
    """Delete the stack and return its last status."""
    cloudformation = emulator.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=name)

    def read_end() -> str:
        status = _read_status(emulator, stack_id)
        return "" if status.endswith("IN_PROGRESS") else status

    return wait_until(read_end, 30)


def _read_status(emulator: Emulator, name: str) -> str:
    return str(emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def _list_reasons(emulator: Emulator, name: str) -> str:
    events = emulator.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return " ".join(event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"])


def _list_buckets(emulator: Emulator) -> set[str]:
    return {bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]}


def _build_bucket(name: str, policy: str = "Delete") -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "DeletionPolicy": policy, "Properties": {"BucketName": name}}


def _build_denial(policy: str) -> dict[str, Any]:
    """A policy of the resource Bucket that denies its deletion to everybody."""
    arn = {"Fn::GetAtt": ["Bucket", "Arn"]}
    statement = {"Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteBucket"], "Resource": [arn]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {
        "Type": "AWS::S3::BucketPolicy",
        "DeletionPolicy": policy,
        "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document},
    }


def test_a_rollback_deletes_what_is_retained_except_on_create(emulator: Emulator) -> None:
    resources = {
        "New": _build_bucket("deletion-new", "RetainExceptOnCreate"),
        "Kept": _build_bucket("deletion-kept", "Retain"),
    }
    assert _deploy_until_refused(emulator, "policies", resources) == "ROLLBACK_COMPLETE"
    assert _list_buckets(emulator) & {"deletion-new", "deletion-kept"} == {"deletion-kept"}


def test_a_deletion_retains_what_is_retained_except_on_create(emulator: Emulator) -> None:
    deploy_stack(emulator, "deleted", {"Resources": {"Data": _build_bucket("deletion-data", "RetainExceptOnCreate")}})
    assert _delete_stack(emulator, "deleted") == "DELETE_COMPLETE"
    assert "deletion-data" in _list_buckets(emulator)


def test_a_bucket_with_objects_is_not_deleted(emulator: Emulator) -> None:
    deploy_stack(emulator, "filled", {"Resources": {"Bucket": _build_bucket("deletion-filled")}})
    s3 = emulator.client("s3")
    s3.put_object(Bucket="deletion-filled", Key="a", Body=b"1")
    assert _delete_stack(emulator, "filled") == "DELETE_FAILED"
    assert "BucketNotEmpty" in _list_reasons(emulator, "filled")
    s3.delete_object(Bucket="deletion-filled", Key="a")
    assert _delete_stack(emulator, "filled") == "DELETE_COMPLETE"
    assert "deletion-filled" not in _list_buckets(emulator)


@pytest.mark.parametrize(
    ("policy", "status"), [("Retain", "ROLLBACK_FAILED"), ("RetainExceptOnCreate", "ROLLBACK_COMPLETE")]
)
def test_a_bucket_policy_can_deny_the_deletion_of_the_bucket(emulator: Emulator, policy: str, status: str) -> None:
    name = f"deletion-denied-{policy.lower()}"
    resources = {"Bucket": _build_bucket(name), "Policy": _build_denial(policy)}
    assert _deploy_until_refused(emulator, name, resources) == status
    assert (name in _list_buckets(emulator)) == (status == "ROLLBACK_FAILED")


def test_a_protected_user_pool_is_not_deleted(emulator: Emulator) -> None:
    pool = {
        "Type": "AWS::Cognito::UserPool",
        "DeletionPolicy": "RetainExceptOnCreate",
        "Properties": {"UserPoolName": "protected", "DeletionProtection": "ACTIVE"},
    }
    assert _deploy_until_refused(emulator, "protected-pool", {"Pool": pool}) == "ROLLBACK_FAILED"
    assert "deletion protection is activated" in _list_reasons(emulator, "protected-pool")
    cognito = emulator.client("cognito-idp")
    [listed] = [pool for pool in cognito.list_user_pools(MaxResults=60)["UserPools"] if pool["Name"] == "protected"]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cognito.delete_user_pool(UserPoolId=listed["Id"])
    cognito.update_user_pool(UserPoolId=listed["Id"], DeletionProtection="INACTIVE")
    cognito.delete_user_pool(UserPoolId=listed["Id"])


def _build_database(*, protected: bool) -> dict[str, Any]:
    return {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Snapshot",
        "Properties": {
            "Engine": "mariadb",
            "DBInstanceClass": "db.t4g.medium",
            "AllocatedStorage": 20,
            "MasterUsername": "administrator",
            "MasterUserPassword": "only-for-the-test",
            "DeletionProtection": protected,
        },
    }


def test_a_protected_database_instance_is_not_deleted(emulator: Emulator) -> None:
    status = _deploy_until_refused(emulator, "protected-database", {"Database": _build_database(protected=True)})
    assert status == "ROLLBACK_FAILED"
    assert "Cannot delete protected DB Instance" in _list_reasons(emulator, "protected-database")


def test_a_deletion_tries_again_what_a_rollback_could_not_delete(emulator: Emulator) -> None:
    pool = {
        "Type": "AWS::Cognito::UserPool",
        "DeletionPolicy": "RetainExceptOnCreate",
        "Properties": {"UserPoolName": "again", "DeletionProtection": "ACTIVE"},
    }
    resources = {"Database": _build_database(protected=True), "Pool": pool}
    assert _deploy_until_refused(emulator, "again", resources) == "ROLLBACK_FAILED"
    rds = emulator.client("rds")
    [name] = [
        instance["DBInstanceIdentifier"]
        for instance in rds.describe_db_instances()["DBInstances"]
        if instance["DBInstanceIdentifier"].startswith("again")
    ]
    assert _delete_stack(emulator, "again") == "DELETE_FAILED"
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
    assert _delete_stack(emulator, "again") == "DELETE_COMPLETE"
    assert name not in {instance["DBInstanceIdentifier"] for instance in rds.describe_db_instances()["DBInstances"]}
    pools = emulator.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]
    assert "again" in {pool["Name"] for pool in pools}  # a deletion is no rollback


def test_the_rollback_of_a_creation_makes_the_snapshot_that_the_policy_wants(emulator: Emulator) -> None:
    database = {"Database": _build_database(protected=False)}
    assert _deploy_until_refused(emulator, "snapshotted", database) == "ROLLBACK_COMPLETE"
    rds = emulator.client("rds")
    instances = {instance["DBInstanceIdentifier"] for instance in rds.describe_db_instances()["DBInstances"]}
    sources = {snapshot["DBInstanceIdentifier"] for snapshot in rds.describe_db_snapshots()["DBSnapshots"]}
    assert [source for source in sources - instances if source.startswith("snapshotted")]


@pytest.mark.parametrize(("stuck", "status"), [({}, "ROLLBACK_COMPLETE"), ({"Stuck": "true"}, "ROLLBACK_FAILED")])
def test_a_custom_resource_whose_creation_failed_is_deleted(
    emulator: Emulator, stuck: dict[str, str], status: str
) -> None:
    name = f"custom-{status.lower().replace('_', '-')}"
    token = {"Fn::GetAtt": ["Responder", "Arn"]}
    resources = {
        "Responder": build_function(RESPONDER),
        "Migration": {"Type": "Custom::Migration", "Properties": {"ServiceToken": token, **stuck}},
    }
    with pytest.raises(StackFailedError, match="refused"):
        deploy_stack(emulator, name, {"Resources": resources})
    assert _read_status(emulator, name) == status
    events = emulator.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    statuses = {event["ResourceStatus"] for event in events if event["LogicalResourceId"] == "Migration"}
    assert ("DELETE_FAILED" if stuck else "DELETE_COMPLETE") in statuses
