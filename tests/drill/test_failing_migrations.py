"""Deployments of the whole stack that its database or its parameters make fail: each ends with one clear line."""

from collections.abc import Iterator

import pytest

from local.process import LocalError
from local.stack import Stack
from tests.stack.second_stack import DATABASE, SecondStack, migrate_with_new_settings

pytestmark = pytest.mark.stack("second")

NO_SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:nobody-AbCdEf"


@pytest.fixture
def second(stack: Stack) -> Iterator[SecondStack]:
    """The second stack, deployed."""
    second = SecondStack(stack)
    try:
        second.deploy()
        yield second
    finally:
        second.delete()
        second.drop_database()


def change_table(stack: Stack, change: str) -> None:
    credentials = stack.servers.admin_credentials
    with stack.servers.primary.connect(*credentials, database=DATABASE, autocommit=True) as connection:
        connection.cursor().execute(f"ALTER TABLE airports {change}")


def fail(second: SecondStack, **settings: str) -> str:
    """The line that an update ends with."""
    with pytest.raises(LocalError) as caught:
        second.deploy(migrate_with_new_settings, provision_database=False, **settings)
    assert caught.value.is_explained
    assert caught.value.log
    assert second.status == "UPDATE_ROLLBACK_COMPLETE"
    print(f"\n{caught.value}")
    return str(caught.value)


@pytest.mark.timeout(900)
def test_a_failing_migration_ends_with_one_clear_line(stack: Stack, second: SecondStack) -> None:
    line = fail(second, PrimaryPort="1")
    assert line.startswith("The migration failed: Could not migrate the database: the database is unreachable ")
    assert line.endswith(
        "Deploy again when the database is available. If it is available, correct PrimaryEndpoint, PrimaryPort or the "
        "security groups."
    )
    assert fail(second, DatabaseAdminSecretArn=NO_SECRET).startswith("The migration failed: Could not migrate")
    # A column that this code would narrow, as after an earlier deployment of a longer text.
    change_table(stack, "MODIFY name VARCHAR(2000)")
    line = fail(second)
    assert line.startswith("The migration failed: Nothing was changed. airports.name is narrowed from VARCHAR(2000) ")
    assert line.endswith("Then deploy again.")
    change_table(stack, "DROP COLUMN name")
    assert "airports.name is a new required field" in fail(second)
