"""The migrate function from event to response, with a real MariaDB and a local server in place of CloudFormation."""

import io
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from local.database import DatabaseServers
from sluice import observability
from sluice.aws import secrets
from sluice.aws.client import create_client
from sluice.errors import MigrationFailed, ResponseNotDelivered
from sluice.handlers.migrate import handle
from sluice.model.api_digest import digest_collections
from sluice.model.canary_item import load_served_resources
from sluice.schema import alter, custom_resource
from tests.database.aws_rig import Aws, aws
from tests.database.migration_rig import Migrated

Request = Callable[..., dict[str, Any]]


@pytest.fixture
def schema(servers: DatabaseServers, database: str, connect: Any) -> Migrated:
    return Migrated(servers, database, connect)


@pytest.fixture
def cloud() -> Iterator[Aws]:
    with aws() as server:
        yield server


@pytest.fixture
def request_(
    schema: Migrated, cloud: Aws, servers: DatabaseServers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Request]:
    """The function's environment, and a function that builds CloudFormation's requests."""
    mark = uuid4().hex[:8]
    username, password = servers.admin_credentials
    users = {"admin": username, "loader": f"loader_{mark}", "reader": f"reader_{mark}"}
    for role, name in users.items():
        secret = {"username": name, "password": password if role == "admin" else uuid4().hex}
        cloud.secrets[role] = json.dumps(secret)
    trust = tmp_path / "database_trust"
    trust.mkdir()
    (trust / "__init__.py").touch()
    shutil.copy(servers.ca, trust / "ca.pem")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "database_trust", raising=False)
    settings = {
        "DATABASE_HOST": servers.primary.host,
        "DATABASE_PORT": str(servers.primary.port),
        "DATABASE_NAME": schema.schema,
        "DATABASE_SECRET_ARN": "admin",
        "LOADER_SECRET_ARN": "loader",
        "READER_SECRET_ARN": "reader",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": cloud.address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "POWERTOOLS_TRACE_DISABLED": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client = create_client(secrets.SECRETS_MANAGER_SERVICE)
    monkeypatch.setattr(secrets, "get_secrets_client", lambda: client)

    digests = digest_collections(load_served_resources().values())

    def make(kind: str = "Create", deployment: str = "1", **more: Any) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": f"{cloud.address}/answer?signature=hush",
            "StackId": "arn:aws:cloudformation:eu-west-1:1:stack/sluice/guid",
            "RequestId": uuid4().hex,
            "ResourceType": "Custom::Migration",
            "LogicalResourceId": "Migration",
            "ResourceProperties": {
                "ServiceToken": "arn:lambda",
                "Deployment": deployment,
                "ApiDigests": digests,
            },
            **more,
        }

    yield make
    servers.start()
    with servers.primary.connect(*servers.admin_credentials) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP USER IF EXISTS {users['loader']}, {users['reader']}")


def context(seconds: float = 300) -> Any:
    until = time.monotonic() + seconds
    return SimpleNamespace(
        get_remaining_time_in_millis=lambda: (until - time.monotonic()) * 1000,
        aws_request_id="1",
        function_name="migrate",
        memory_limit_in_mb=1024,
        invoked_function_arn="arn",
    )


def test_create_migrates_and_answers_success(request_: Request, cloud: Aws, schema: Migrated) -> None:
    schema.sql(f"DROP DATABASE {schema.schema}")
    request = request_()
    handle(request, context())
    [answer] = cloud.answers
    assert answer["Status"] == "SUCCESS"
    assert {answer[name] == request[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {True}
    assert re.fullmatch("Migration [0-9a-f]{16}", answer["PhysicalResourceId"])
    assert answer["Data"]["Done"].startswith(f"create schema {schema.schema}; create table loaded_batches;")
    own = {"loaded_batches", "rejected_writes", "marks", "exclusions", "migrations"}
    assert set(schema.tables()) == {"airports", "bookings", "sluice_canary", *own}
    assert cloud.answer_headers[0].get("content-type", "") == ""
    assert [
        thread
        for thread in threading.enumerate()
        if isinstance(thread, threading.Timer) and not thread.finished.is_set()
    ] == []
    for role in ("loader", "reader"):
        secret = json.loads(cloud.secrets[role])
        schema.connect(account=(secret["username"], secret["password"])).ping()


def test_update_without_a_change_answers_that_there_was_none(request_: Request, cloud: Aws) -> None:
    handle(request_(), context())
    handle(request_("Update", "2"), context())
    assert cloud.answers[1]["Status"] == "SUCCESS"
    assert cloud.answers[1]["Reason"] == "nothing to change"


def test_delete_leaves_everything(request_: Request, cloud: Aws, schema: Migrated) -> None:
    handle(request_(), context())
    before = schema.binary_log_position()
    handle(request_("Delete"), context())
    assert [answer["Status"] for answer in cloud.answers] == ["SUCCESS", "SUCCESS"]
    assert schema.binary_log_position() == before


def test_delete_succeeds_without_a_database(request_: Request, cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PORT", "1")
    handle(request_("Delete"), context())
    assert cloud.answers[0]["Status"] == "SUCCESS"


def test_a_refusal_fails_the_deploy_with_its_sentences(request_: Request, cloud: Aws, schema: Migrated) -> None:
    handle(request_(), context())
    schema.sql("ALTER TABLE bookings ADD COLUMN gone INT COMMENT 'optional'")
    schema.sql("ALTER TABLE airports DROP COLUMN name")
    handle(request_("Update", "2"), context())
    answer = cloud.answers[1]
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("Nothing was changed. ")
    assert "bookings.gone is no longer a field" in answer["Reason"]
    assert "airports.name is a new required field" in answer["Reason"]


def test_an_api_definition_of_other_classes_fails_the_deploy_before_anything_is_changed(
    request_: Request, cloud: Aws, schema: Migrated
) -> None:
    schema.sql(f"DROP DATABASE {schema.schema}")
    properties = request_()["ResourceProperties"]
    digests = {**properties["ApiDigests"], "airports": "of another class"}
    before = schema.binary_log_position()
    handle(request_(ResourceProperties={**properties, "ApiDigests": digests}), context())
    [answer] = cloud.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("Nothing was changed. The API definition was not written from these resource")
    assert "it differs in airports. Write it again with" in answer["Reason"]
    assert schema.binary_log_position() == before
    handle(request_(ResourceProperties=properties), context())
    assert cloud.answers[1]["Status"] == "SUCCESS"


def test_a_rollback_to_an_earlier_deployment_succeeds(request_: Request, cloud: Aws, schema: Migrated) -> None:
    handle(request_(), context())
    schema.sql("ALTER TABLE bookings ADD COLUMN later INT COMMENT 'optional'")
    handle(request_("Update", "1"), context())
    assert cloud.answers[1]["Status"] == "SUCCESS"
    assert "This is a rollback, so the schema stays unchanged: bookings.later" in cloud.answers[1]["Data"]["Notices"]


def test_a_rollback_succeeds_on_a_restored_database_that_forgot_the_deployment(
    request_: Request, cloud: Aws, schema: Migrated
) -> None:
    handle(request_(), context())
    schema.sql("DELETE FROM migrations")
    schema.sql("ALTER TABLE bookings ADD COLUMN later INT COMMENT 'optional'")
    handle(request_("Update", "1", PhysicalResourceId=cloud.answers[0]["PhysicalResourceId"]), context())
    assert cloud.answers[1]["Status"] == "SUCCESS"


ROLLBACKS = [
    # Which old properties CloudFormation passes, and whether a changed physical id reaches the rollback, is documented
    # nowhere. The migration of the failed update succeeded (its id reached CloudFormation) or not.
    pytest.param(old, updated, id=f"{old} {'after' if updated else 'without'} a migration")
    for old in ("1", "2")
    for updated in (False, True)
]


@pytest.mark.parametrize(("old", "updated"), ROLLBACKS)
def test_a_rollback_without_a_database_succeeds_and_reports_what_it_left_undone(
    request_: Request,
    cloud: Aws,
    schema: Migrated,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    old: str,
    updated: bool,
) -> None:
    handle(request_(), context())
    if updated:
        handle(request_("Update", "2", PhysicalResourceId=cloud.answers[-1]["PhysicalResourceId"]), context())
        assert cloud.answers[-1]["Status"] == "SUCCESS"
    monkeypatch.setenv("DATABASE_PORT", "1")
    if not updated:
        handle(request_("Update", "2", PhysicalResourceId=cloud.answers[-1]["PhysicalResourceId"]), context())
        assert cloud.answers[-1]["Status"] == "FAILED"
        assert cloud.answers[-1]["Reason"].endswith("Deploy again when the database is available.")
        assert cloud.answers[-1]["PhysicalResourceId"] == cloud.answers[0]["PhysicalResourceId"]
    physical_id = cloud.answers[-1]["PhysicalResourceId"]
    before = {"ServiceToken": "arn:lambda", "Deployment": old}
    capsys.readouterr()
    handle(request_("Update", "1", PhysicalResourceId=physical_id, OldResourceProperties=before), context())
    answer = cloud.answers[-1]
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == physical_id
    assert "the database is unreachable" in answer["Data"]["Undone"]
    assert '"MigrationsUndone":[1.0]' in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_PORT", str(schema.servers.primary.port))
    [by_hand] = re.findall(r'{"deployment": "[0-9a-f]{64}"}', answer["Reason"])
    schema.sql("ALTER TABLE bookings ADD COLUMN later INT COMMENT 'optional'")
    assert handle(json.loads(by_hand), context())["notices"]


def test_a_rollback_that_takes_too_long_succeeds(
    request_: Request, cloud: Aws, schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sluice.schema import migration  # noqa: PLC0415

    handle(request_(), context())
    monkeypatch.setattr(migration.Migration, "plan", lambda _: time.sleep(3))
    handle(request_("Update", "1", PhysicalResourceId=cloud.answers[0]["PhysicalResourceId"]), context(2))
    assert [answer["Status"] for answer in cloud.answers] == ["SUCCESS", "SUCCESS"]
    assert "did not end within the function's timeout" in cloud.answers[1]["Data"]["Undone"]


def test_another_stack_s_deployment_is_no_rollback(request_: Request, cloud: Aws, schema: Migrated) -> None:
    handle(request_(), context())
    schema.sql("ALTER TABLE bookings ADD COLUMN later INT COMMENT 'optional'")
    handle(request_("Create", "1", StackId="arn:aws:cloudformation:eu-west-1:1:stack/sluice/another"), context())
    assert cloud.answers[1]["Status"] == "FAILED"


def test_a_change_that_makes_loads_wait_too_long_needs_the_parameter(
    request_: Request, cloud: Aws, schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(request_(), context())
    schema.sql("ALTER TABLE bookings MODIFY notes VARCHAR(60) COLLATE utf8mb4_nopad_bin COMMENT 'optional'")
    monkeypatch.setattr(alter, "COPY_BYTES_PER_SECOND", 1)
    for name, kept in (("refuse", "varchar(60)"), ("run", "mediumtext")):
        properties = {**request_("Update", "2")["ResourceProperties"], "LongChanges": name}
        handle(request_("Update", ResourceProperties=properties), context())
        assert schema.columns("bookings")["notes"][0] == kept
    assert [answer["Status"] for answer in cloud.answers] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert "Deploy with LongChanges=run" in cloud.answers[1]["Reason"]
    assert "deploy again: ALTER TABLE bookings MODIFY COLUMN notes MEDIUMTEXT" in cloud.answers[1]["Reason"]


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("DATABASE_PORT", "1", "the database is unreachable or accepts no changes now (OperationalError 2003)"),
        ("DATABASE_HOST", "", "environment variables are missing: DATABASE_HOST"),
        ("DATABASE_SECRET_ARN", "unknown", "AWS answered ResourceNotFoundException to GetSecretValue"),
        ("LOADER_SECRET_ARN", "unknown", "AWS answered ResourceNotFoundException to GetSecretValue"),
        ("DATABASE_SECRET_ARN", "stale", "the database rejects the admin's credentials"),
        ("DATABASE_SECRET_ARN", "broken", "a database secret is not a JSON object with username and password"),
        ("READER_SECRET_ARN", "loader", "need three different user names in their secrets"),
    ],
)
def test_every_failure_is_answered(
    request_: Request, cloud: Aws, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, expected: str
) -> None:
    admin = json.loads(cloud.secrets["admin"])
    cloud.secrets["stale"] = json.dumps({**admin, "password": "rotated meanwhile"})
    cloud.secrets["broken"] = '{"user": "x"}'
    monkeypatch.setenv(setting, value)
    handle(request_(), context())
    [answer] = cloud.answers
    assert answer["Status"] == "FAILED"
    assert expected in answer["Reason"]
    # Waiting helps only where the database itself did not respond.
    assert ("when the database is available" in answer["Reason"]) == (setting == "DATABASE_PORT")


def test_a_missing_layer_is_answered(request_: Request, cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alembic.autogenerate", None)
    for name in ("migration", "diff"):
        monkeypatch.delitem(sys.modules, f"sluice.schema.{name}", raising=False)
    handle(request_(), context())
    assert cloud.answers[0]["Status"] == "FAILED"
    assert "alembic" in cloud.answers[0]["Reason"]


def test_a_resource_that_cannot_be_served_is_answered(
    request_: Request, cloud: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import resources  # noqa: PLC0415

    (tmp_path / "wrong.py").write_text(
        "from sluice.model.resource import Item, resource\n\n\n@resource('wrong')\nclass Wrong(Item):\n    anything: object\n"  # noqa: E501
    )
    monkeypatch.setattr(resources, "__path__", [*resources.__path__, str(tmp_path)])
    handle(request_(), context())
    assert cloud.answers[0]["Status"] == "FAILED"
    assert "Wrong.anything" in cloud.answers[0]["Reason"]


def test_a_database_that_hangs_is_answered_in_time(request_: Request, cloud: Aws, servers: DatabaseServers) -> None:
    handle(request_(), context())
    pid = servers.primary.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        handle(request_("Update", "2"), context(4))
        assert time.monotonic() - begin < 6
    finally:
        os.kill(pid, signal.SIGCONT)
    [_, answer] = cloud.answers
    assert answer["Status"] == "FAILED"


def test_the_timer_responds_when_nothing_else_does(
    request_: Request, cloud: Aws, schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if no timeout of the database works, the response is sent before the function ends, and only once."""
    from sluice.schema import migration  # noqa: PLC0415

    monkeypatch.setattr(migration.Migration, "plan", lambda _: time.sleep(3))
    handle(request_(), context(2))
    [answer] = cloud.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("The migration did not end within the function's timeout")


def test_a_response_that_is_not_accepted_at_once_is_sent_again(request_: Request, cloud: Aws) -> None:
    cloud.refusing = 2
    handle(request_("Delete"), context())
    assert [answer["Status"] for answer in cloud.answers] == ["SUCCESS"]


def test_a_response_that_cannot_be_sent_raises_without_its_url(
    request_: Request, cloud: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom_resource, "_RETRY", 1)
    cloud.refusing, cloud.refusal = 1, 403
    with pytest.raises(ResponseNotDelivered, match="status 403"):
        handle(request_("Delete"), context())
    with pytest.raises(ResponseNotDelivered, match="could not be sent") as error:
        handle(request_("Delete", ResponseURL="http://127.0.0.1:1/?signature=hush"), context())
    assert "hush" not in str(error.value)


def test_a_response_is_small_enough(request_: Request, cloud: Aws, schema: Migrated) -> None:
    handle(request_(), context())
    columns = ", ".join(f"ADD COLUMN gone_{n} INT COMMENT 'optional'" for n in range(60))
    schema.sql(f"ALTER TABLE bookings {columns}")
    handle(request_("Update", "2"), context())
    assert len(json.dumps(cloud.answers[1])) < 4096
    assert cloud.answers[1]["Reason"].endswith("(more in the log)")


def test_a_dry_run_returns_the_plan_and_changes_nothing(request_: Request, cloud: Aws, schema: Migrated) -> None:
    handle(request_(), context())
    schema.sql("ALTER TABLE bookings DROP COLUMN voucher, ADD COLUMN gone INT COMMENT 'optional'")
    before = schema.binary_log_position()
    plan = json.loads(json.dumps(handle({"dry_run": True}, context())))
    assert [statement["description"] for statement in plan["statements"]] == ["alter bookings: add voucher VARCHAR(32)"]
    assert plan["statements"][0]["sql"].startswith("ALTER TABLE bookings ADD COLUMN voucher VARCHAR(32)")
    assert [refusal.split()[0] for refusal in plan["refusals"]] == ["bookings.gone"]
    assert plan["notices"] == []
    assert schema.binary_log_position() == before
    assert len(cloud.answers) == 1


def test_by_hand_it_migrates_and_raises_the_sentence_of_a_failure(request_: Request, schema: Migrated) -> None:
    assert handle({}, context())["done"]
    assert handle({}, context()) == {"done": (), "notices": ()}
    schema.sql("ALTER TABLE bookings ADD COLUMN gone INT COMMENT 'optional'")
    with pytest.raises(MigrationFailed, match=r"Nothing was changed\. bookings\.gone"):
        handle({}, context())


def test_neither_password_nor_address_is_logged(
    request_: Request, cloud: Aws, schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(observability.logger.registered_handler, "stream", written)
    handle(request_(), context())
    cloud.secrets["admin"] = json.dumps({"username": "nobody", "password": "wrong word"})
    handle(request_("Update", "2"), context())
    log = written.getvalue()
    assert "migrate done" in log
    passwords = [json.loads(secret)["password"] for secret in cloud.secrets.values()]
    assert [secret for secret in [*passwords, "hush"] if secret in log] == []
