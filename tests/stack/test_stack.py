"""The local stack starts, reports its addresses, and keeps its data."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.process import LocalError
from local.stack import Stack, up
from local.stack.folder import REPOSITORY, StackFolder
from local.stack.invocation import invoke, list_invocable_names
from ops.template import ResolvedTemplate, read_template
from sluice.http.response import AS_OF_HEADER
from tests.stack.conftest import Person

pytestmark = pytest.mark.stack("second")


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local.stack` as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "local.stack", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "SLUICE_LOCAL": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def list_tables(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        return {row[0] for row in cursor.fetchall()}


def test_the_stack_has_every_output_of_the_template(stack: Stack) -> None:
    [deployed] = stack.aws_client("cloudformation").describe_stacks(StackName="sluice-local")["Stacks"]
    parameters = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in deployed["Parameters"]}
    template = ResolvedTemplate(read_template(), parameters, "sluice-local", "us-east-1")
    declared = template.template["Outputs"]
    absent = {
        name for name, entry in declared.items() if "Condition" in entry and not template.holds(entry["Condition"])
    }
    assert "ClientPlanId" in absent, "it exists only with required client keys"
    assert "RestoreFunctionName" not in absent, "the emulator has RDS instances"
    assert set(stack.outputs) == set(declared) - absent
    assert all(stack.outputs.values())


def test_the_deploy_creates_the_tables_on_both_servers(stack: Stack, primary: Any, replica: Any) -> None:
    stack.servers.wait_for_replicas()
    assert {"loaded_batches", "rejected_writes"} < list_tables(primary)
    assert list_tables(primary) == list_tables(replica)


def test_the_deploy_writes_the_first_moment(stack: Stack, machine: httpx.Client) -> None:
    """So the first read names one: the first heartbeat can be a minute later."""
    log = stack.folder.root / "emulator" / "logs" / f"{stack.outputs['MigrateFunctionName']}.log"
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    first = next(line for line in lines if "done" in line)
    assert first["done"][-1] == "write the first moment"
    assert AS_OF_HEADER in machine.get("/v1/airports?limit=1").headers


def test_the_trust_layer_has_the_ca_of_this_stack(stack: Stack) -> None:
    bundles = list(stack.folder.build.glob("*/python/database_trust/ca.pem"))
    assert [bundle.read_bytes() for bundle in bundles] == [stack.servers.ca.read_bytes()]


def test_the_package_has_bytecode_that_ignores_source_dates(stack: Stack) -> None:
    compiled = list(stack.folder.build.glob("*/sluice/handlers/__pycache__/*.pyc"))
    assert compiled
    # The second word of a .pyc is 1 for a source hash that Python does not check.
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\0\0\0"}


def test_functions_share_one_code_folder(stack: Stack) -> None:
    assert len(list(stack.folder.build.glob("*/sluice"))) == 1


def test_only_tokens_of_a_machine_and_a_person_are_accepted(machine: httpx.Client, person: Person, client: Any) -> None:
    path = "/v1/no-such-collection"
    assert client().get(path).status_code == 401
    assert client("not.a.token").get(path).status_code == 401
    assert machine.get(path).status_code == 404
    assert person("ada").get(path).status_code == 404


def test_a_person_is_added_to_the_groups(stack: Stack) -> None:
    token = stack.person_token("grace", ("editors",))
    me = stack.aws_client("cognito-idp").admin_list_groups_for_user(
        UserPoolId=stack.outputs["UserPoolId"], Username="grace"
    )
    assert [group["GroupName"] for group in me["Groups"]] == ["editors"]
    assert token.count(".") == 2


def test_a_function_can_be_invoked_by_its_short_name(stack: Stack, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"records": []}))
    result = invoke(stack, "Transform", event)
    assert result.succeeded
    assert result.output == {"records": []}
    assert "LoadBatch" in list_invocable_names(stack)
    with pytest.raises(LocalError, match="there are: "):
        invoke(stack, "Nothing", event)


def test_the_command_line_reports_what_runs(stack: Stack) -> None:
    shown = run_command(stack.folder.root, "status")
    assert shown.returncode == 0
    assert stack.api_url in shown.stdout
    assert run_command(stack.folder.root, "address").stdout == f"{stack.api_url}\n"
    assert run_command(stack.folder.root, "token").stdout.count(".") == 2
    assert run_command(stack.folder.root, "logs", "Nothing").returncode == 1


def test_a_command_on_a_stack_that_is_not_up_prints_one_sentence(tmp_path: Path) -> None:
    refused = run_command(tmp_path, "token")
    assert refused.returncode == 1
    assert refused.stderr.strip() == "sluice: The local stack is not up; run `make up`."


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    before = StackFolder(stack.folder.root).read_state()
    lines: list[str] = []
    restarted = up(stack.folder.root, report_progress=lines.append)
    assert not [line for line in lines if "sam" in line]
    assert StackFolder(stack.folder.root).read_state() == before
    assert restarted.outputs == stack.outputs


@pytest.mark.slow
def test_down_and_up_keep_the_data_of_every_part(stack: Stack, primary: Any) -> None:
    with primary.cursor() as cursor:
        cursor.execute(
            "INSERT INTO loaded_batches (object_key, etag, applied, stale, rejected, duration_ms, loaded_at)"
            " VALUES ('kept', 'kept', 1, 0, 0, 1, NOW(6))"
        )
    stack.aws_client("s3").put_object(Bucket=stack.outputs["BatchBucketName"], Key="kept/object", Body=b"kept")
    token = stack.machine_token()

    assert run_command(stack.folder.root, "down").returncode == 0
    assert {stack.emulator.pid, stack.cache.pid, *(server.pid for server in stack.servers.all)} == {None}
    assert run_command(stack.folder.root, "status").returncode == 1
    started = run_command(stack.folder.root, "up")
    assert started.returncode == 0
    assert "sam" not in started.stderr
    assert stack.api_url in started.stdout

    restarted = Stack.load(stack.folder.root)
    assert restarted.outputs == stack.outputs
    assert restarted.cache.is_ready()
    stored = restarted.aws_client("s3").get_object(Bucket=stack.outputs["BatchBucketName"], Key="kept/object")
    assert stored["Body"].read() == b"kept"
    restarted.servers.wait_for_replicas()
    with (
        restarted.servers.replica.connect(*restarted.servers.admin_credentials, database="sluice") as connection,
        connection.cursor() as cursor,
    ):
        assert cursor.execute("SELECT 1 FROM loaded_batches WHERE object_key = 'kept'") == 1
    answer = httpx.get(
        f"{restarted.api_url}/v1/no-such-collection",
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    )
    assert answer.status_code == 404
