"""`sluice explain`, and the last line of `sluice deploy`, with deployments that fail on the emulator."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ops.commands import deploy
from testkit.emulator_harness import Emulator, StackFailedError, deploy_stack
from tests.emulator.test_cloudformation import build_migration
from tests.ops.conftest import Sluice

TOPIC = {"Type": "AWS::SNS::Topic"}
REFUSED = (
    "explain-deploy was not deployed: Parameter 'Size' must be 1 or more. Correct it in samconfig.toml, and deploy "
    "again; docs/reference/parameters.md describes it."
)
TAKEN = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/explain/taken"}}


@pytest.fixture(scope="module", autouse=True)
def _taken_name(emulator: Emulator) -> None:
    emulator.client("logs").create_log_group(logGroupName="/explain/taken")


@pytest.fixture
def sluice(emulator: Emulator, clean_environment: pytest.MonkeyPatch, bare_sluice: Sluice, tmp_path: Path) -> Sluice:
    """The command, with credentials and a project of its own."""
    for name, value in {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
    }.items():
        clean_environment.setenv(name, value)
    clean_environment.setattr(deploy, "PROJECT", tmp_path)
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[default.deploy.parameters]\nresolve_s3 = true\nregion = "us-east-1"\n'
        'capabilities = ["CAPABILITY_IAM"]\n'
    )
    return bare_sluice


def fail(emulator: Emulator, name: str, template: dict[str, Any]) -> None:
    with pytest.raises(StackFailedError):
        deploy_stack(emulator, name, template)


def test_a_failed_creation_is_explained_in_one_line(sluice: Sluice, emulator: Emulator) -> None:
    fail(emulator, "explain-taken", {"Resources": {"Topic": TOPIC, "Group": {**TAKEN, "DependsOn": "Topic"}}})
    explained = sluice("explain", "--stack-name", "explain-taken")
    line = (
        "Group (AWS::Logs::LogGroup) could not be created: Resource of type 'AWS::Logs::LogGroup' with identifier "
        "'/explain/taken' already exists. Something outside of the stack has this name: delete it, or deploy under "
        "another stack name. Before that, delete the stack: `aws cloudformation delete-stack --stack-name "
        "explain-taken --region us-east-1`."
    )
    assert (explained.exit_code, explained.stdout.splitlines()) == (1, [line])
    with_events = sluice("explain", "--events", "--stack-name", "explain-taken").stdout.splitlines()
    assert with_events[-1:] == explained.stdout.splitlines()
    assert "  CREATE_IN_PROGRESS  Topic" in with_events[1]
    document = sluice("explain", "--json", "--stack-name", "explain-taken").document
    assert document == {
        "stack": "explain-taken",
        "region": "us-east-1",
        "status": "ROLLBACK_COMPLETE",
        "failure": explained.stdout.strip(),
    }


def test_a_refused_migration_is_explained_with_its_own_sentence(sluice: Sluice, emulator: Emulator) -> None:
    refusal = "Nothing was changed. airports.name is narrowed: keep VARCHAR(80), or add a new field beside it."
    deploy_stack(emulator, "explain-migration", build_migration(Revision="1"))
    fail(emulator, "explain-migration", build_migration(Revision="2", Fail=refusal))
    explained = sluice("explain", "--stack-name", "explain-migration")
    assert (explained.exit_code, explained.stdout.splitlines()) == (
        1,
        [f"The migration failed: {refusal} Then deploy again."],
    )
    # The next deployment succeeds, and the failure is history.
    deploy_stack(emulator, "explain-migration", build_migration(Revision="3"))
    explained = sluice("explain", "--stack-name", "explain-migration")
    assert explained.exit_code == 0
    assert explained.stdout.endswith("did not fail: UPDATE_COMPLETE.\n")


def test_an_invalid_property_is_explained_with_its_path(sluice: Sluice, emulator: Emulator) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "explain-taken-bucket"}}
    emulator.client("s3").create_bucket(Bucket="explain-taken-bucket")
    fail(emulator, "explain-bucket", {"Resources": {"Bucket": bucket}})
    line = sluice("explain", "--stack-name", "explain-bucket").stdout
    assert line.startswith("Bucket (AWS::S3::Bucket) could not be deployed: ")
    assert "(at /Resources/Bucket). Something outside of the stack has this name" in line


def test_the_stack_may_be_named_by_an_environment_and_must_exist(sluice: Sluice, emulator: Emulator) -> None:
    missing = sluice("explain", "--config-env", "default", "--stack-name", "explain-missing")
    assert (missing.exit_code, missing.stderr.splitlines()) == (
        2,
        [
            "sluice: There is no stack explain-missing in us-east-1: no deployment began, or the stack was deleted.",
            "hint: Check --stack-name and --region; the last line of `sam deploy` says why it did not begin.",
        ],
    )


def test_a_deployment_ends_with_the_line_and_names_the_log_above_it(
    sluice: Sluice, emulator: Emulator, tmp_path: Path
) -> None:
    def deploy_template(**template: Any) -> list[str]:
        body = {"Transform": "AWS::Serverless-2016-10-31", **template}
        (tmp_path / "template.yaml").write_text(json.dumps(body))
        deployed = sluice("deploy", "--no-build", "--stack-name", "explain-deploy", "--parameter", "Size=0")
        assert deployed.exit_code == 1
        return deployed.stderr.splitlines()

    size = {"Type": "Number", "MinValue": 1, "ConstraintDescription": "must be 1 or more"}
    refused = deploy_template(Parameters={"Size": size}, Resources={"Topic": TOPIC})
    assert refused[-2:] == ["log: .aws-sam/deploy.log", f"sluice: {REFUSED}"]
    failed = deploy_template(Parameters={"Size": {"Type": "Number"}}, Resources={"Group": TAKEN})
    assert failed[-2] == "log: .aws-sam/deploy.log"
    assert failed[-1].startswith("sluice: Group (AWS::Logs::LogGroup) could not be created: Resource of type ")
    log = (tmp_path / ".aws-sam" / "deploy.log").read_text()
    assert "ROLLBACK_COMPLETE" in log
    assert "must be 1 or more" not in log


def test_a_change_set_that_nobody_confirms_is_not_deployed(sluice: Sluice, tmp_path: Path) -> None:
    """The SAM CLI ends with success then."""
    (tmp_path / "template.yaml").write_text(json.dumps({"Resources": {"Topic": TOPIC}}))
    declined = tmp_path / "declined"
    declined.write_text("n\n")
    with declined.open() as answer:
        before = os.dup(0)
        os.dup2(answer.fileno(), 0)
        try:
            output = sluice("deploy", "--no-build", "--stack-name", "explain-declined", "--", "--confirm-changeset")
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert (output.exit_code, output.stderr.splitlines()[-2:]) == (
        1,
        [
            "sluice: The change set of explain-declined was declined, so it was not deployed.",
            "hint: Answer y to deploy it, or give `-- --no-confirm-changeset`.",
        ],
    )
