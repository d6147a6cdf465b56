"""A rollback is an update to a deployment that was migrated before, as the physical id of the resource records."""

from typing import Any

from sluice.schema.custom_resource import read_deployment

STACK = "arn:aws:cloudformation:eu-west-1:1:stack/sluice/guid"


def request(code: int, old: int | None = None, physical_id: str | None = None) -> dict[str, Any]:
    built: dict[str, Any] = {"StackId": STACK, "ResourceProperties": {"ServiceToken": "arn", "CodeVersion": str(code)}}
    if old is not None:
        built["OldResourceProperties"] = {"ServiceToken": "arn", "CodeVersion": str(old)}
    return built if physical_id is None else built | {"PhysicalResourceId": physical_id}


def migrate(code: int, old: int | None = None, physical_id: str | None = None) -> str:
    """The physical id after a successful migration."""
    return read_deployment(request(code, old, physical_id)).build_physical_id("Migration")


def test_a_first_deployment_is_no_rollback() -> None:
    assert not read_deployment(request(1)).is_rollback
    assert not read_deployment(request(1, physical_id="Migration")).is_rollback


def test_an_update_to_an_earlier_deployment_is_a_rollback() -> None:
    physical_id = migrate(2, 1, migrate(1))
    assert read_deployment(request(1, 2, physical_id)).is_rollback
    assert read_deployment(request(2, 2, physical_id)).is_rollback
    assert not read_deployment(request(3, 2, physical_id)).is_rollback


def test_every_property_counts_except_the_function() -> None:
    physical_id = migrate(1)
    changed = request(1, 1, physical_id)
    changed["ResourceProperties"]["ServiceToken"] = "another"
    assert read_deployment(changed).is_rollback
    changed["ResourceProperties"]["DatabaseHost"] = "another"
    assert not read_deployment(changed).is_rollback


def test_the_other_stack_of_a_shared_database_is_no_rollback() -> None:
    other = request(1, 1, migrate(1)) | {"StackId": f"{STACK}2"}
    assert not read_deployment(other).is_rollback


def test_the_physical_id_stays_short_and_keeps_the_deployment_of_a_rollback() -> None:
    """Many updates that are rolled back, after their migration succeeded, do not push out the one that stays."""
    physical_id = migrate(1)
    for code in range(2, 100):
        physical_id = migrate(code, 1, physical_id)
        assert len(physical_id) <= 1024
        assert read_deployment(request(1, code, physical_id)).is_rollback


def test_the_id_of_a_deployment_never_changes() -> None:
    """Code of both sides of an update compares the ids, so a change of the algorithm would break one rollback."""
    assert read_deployment(request(1)).id == "e69ea7f099d78f8ea1a0b57485fe55786b8b1cad0caef73ad951880952f0ee95"
