"""Creations and updates that fail, and deletions: what they leave behind is what the guide names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.process import LocalError
from local.stack import Stack
from tests.stack.inventory import list_resources, remove_retained_resources
from tests.stack.samples import airport
from tests.stack.second_stack import NAME, TAKEN_NAME, SecondStack, migrate_with_new_settings, refuse_at_the_end
from tests.stack.waiting import eventually

pytestmark = [pytest.mark.stack("second", last=True), pytest.mark.slow]

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "repair-a-deployment.md"

UNREACHABLE = (
    r"Could not migrate the database: the database is unreachable .* Deploy again when the database is available\."
)
# What remains, as a pattern of its name, and the words of the guide for it.
AFTER_A_FAILED_CREATION = {
    rf"iam/{NAME}-ApiLogWriter-\w+": "`NAME-ApiLogWriter-…`",
    r"kms/.+": "key of the alerts topic",
}
WITH_ITS_DATABASE = {rf"rds/{NAME}-primary-\w+-final-snapshot": "`NAME-snapshot-primary-…`"}
AFTER_A_DELETION = {
    **AFTER_A_FAILED_CREATION,
    rf"s3/{NAME}-batchbucket-\w+": "batch bucket",
    rf"s3/{NAME}-archivebucket-\w+": "archive bucket and its policy",
    rf"firehose/{NAME}-WriteStream-\w+": "Firehose stream and its role",
    rf"iam/{NAME}-StreamRole-\w+": "Firehose stream and its role",
    rf"sqs/.+/{NAME}-EventDeadLetters-\w+": "dead-letter queue",
    r"cognito-idp/.+": "user pool",
}


@pytest.fixture
def second(stack: Stack) -> Iterator[SecondStack]:
    """The second stack, before its first deployment. Afterwards nothing of it remains."""
    logs, existing = stack.aws_client("logs"), list_resources(stack)
    logs.create_log_group(logGroupName=TAKEN_NAME)
    second = SecondStack(stack)
    try:
        yield second
    finally:
        stack.servers.start()
        logs.delete_log_group(logGroupName=TAKEN_NAME)
        second.delete()
        remove_retained_resources(stack, list_resources(stack) - existing)
        second.drop_database()


def _read_section(title: str) -> str:
    """A section of the guide."""
    return GUIDE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _check_guide(remaining: set[str], expected: dict[str, str], section: str) -> None:
    """Every remaining resource is expected, every expected one remains, and the section names each."""
    text = _read_section(section)
    matches = {name: [pattern for pattern in expected if re.fullmatch(pattern, name)] for name in remaining}
    assert {name for name, patterns in matches.items() if not patterns} == set()
    assert {pattern for patterns in matches.values() for pattern in patterns} == set(expected)
    assert [words for words in expected.values() if words not in text] == []


def _check_service(second: SecondStack, code: str) -> None:
    """A write is accepted, loaded and read."""
    with second.create_client() as client:
        assert client.put(f"/v1/airports/{code}", json=airport(code)).status_code == 202
        eventually(lambda: client.get(f"/v1/airports/{code}").status_code == 200)


def test_a_creation_that_fails_at_its_last_resource_can_be_repeated(stack: Stack, second: SecondStack) -> None:
    before = list_resources(stack)
    with pytest.raises(
        LocalError, match=r"^Refused \(AWS::Logs::LogGroup\) could not be created: .* already exists\. "
    ):
        second.deploy(refuse_at_the_end)
    assert second.status == "ROLLBACK_COMPLETE"
    created = [event["LogicalResourceId"] for event in second.list_events() if "CREATE" in event["ResourceStatus"]]
    assert created[-1] == "Refused"
    assert created.count("Distribution") == created.count("Migration") == 2  # in progress, and complete
    _check_guide(list_resources(stack) - before, AFTER_A_FAILED_CREATION, "The first deployment failed")
    second.deploy()
    assert second.status == "CREATE_COMPLETE"
    _check_service(second, "LFAA")
    _check_update_while_the_database_is_unavailable(stack, second)
    second.delete()
    _check_guide(list_resources(stack) - before, AFTER_A_DELETION, "Delete a stack")


def _check_update_while_the_database_is_unavailable(stack: Stack, second: SecondStack) -> None:
    before, functions = list_resources(stack), stack.aws_client("lambda")
    name = second.outputs["OpenApiFunctionName"]
    stack.servers.primary.kill()
    with pytest.raises(LocalError, match=f"^The migration failed: {UNREACHABLE}"):
        second.deploy(migrate_with_new_settings)
    assert second.status == "UPDATE_ROLLBACK_COMPLETE"
    updated = {event["LogicalResourceId"] for event in second.list_events() if "UPDATE" in event["ResourceStatus"]}
    assert {"OpenApiFunction", "Migration"} <= updated
    assert functions.get_function_configuration(FunctionName=name)["Timeout"] == 20
    assert list_resources(stack) == before
    stack.servers.start()
    _check_service(second, "LFBB")


def test_a_creation_that_fails_after_its_database_deletes_it(stack: Stack, second: SecondStack) -> None:
    """The emulator knows instances, but runs none, so the migration fails."""
    before = list_resources(stack)
    with pytest.raises(LocalError, match=f"^The migration failed: {UNREACHABLE}"):
        second.deploy(provision_database=True)
    assert second.status == "ROLLBACK_COMPLETE"
    events = second.list_events()
    created = [event["LogicalResourceId"] for event in events if "CREATE" in event["ResourceStatus"]]
    assert created[-1] == "Migration"
    assert created.index("TransformFunction") < created.index("Primary")
    _check_guide(
        list_resources(stack) - before,
        {**AFTER_A_FAILED_CREATION, **WITH_ITS_DATABASE},
        "The first deployment failed",
    )


def test_a_creation_that_was_protected_from_the_start_can_be_deleted(stack: Stack, second: SecondStack) -> None:
    """The reason for the default of DeletionProtection, and the guide's way out."""
    before = list_resources(stack)
    with pytest.raises(LocalError, match=r"^The migration failed: .* The rollback failed too: \w+ \(.*protect"):
        second.deploy(provision_database=True, DeletionProtection="true")
    assert second.status == "ROLLBACK_FAILED"
    failed = {
        event["LogicalResourceId"]: event["PhysicalResourceId"]
        for event in second.list_events()
        if event["ResourceStatus"] == "DELETE_FAILED"
    }
    assert set(failed) >= {"Primary", "UserPool"}
    stack.aws_client("rds").modify_db_instance(
        DBInstanceIdentifier=failed["Primary"], DeletionProtection=False, ApplyImmediately=True
    )
    stack.aws_client("cognito-idp").update_user_pool(UserPoolId=failed["UserPool"], DeletionProtection="INACTIVE")
    second.delete()
    remaining = list_resources(stack) - before
    pools = {name for name in remaining if name.startswith("cognito-idp/")}
    _check_guide(pools, {r"cognito-idp/.+": "user pool"}, "The rollback of the first deployment failed")
    _check_guide(remaining - pools, {**AFTER_A_FAILED_CREATION, **WITH_ITS_DATABASE}, "The first deployment failed")
