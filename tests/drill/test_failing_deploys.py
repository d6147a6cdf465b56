"""Deployments that fail for real, with the SAM CLI and the emulator: each ends with one clear line.

Messages of AWS that the emulator cannot produce are in tests/ops/test_failure_reasons.py, and the migration of a real
database in tests/stack/test_lifecycle.py.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops.cli import run_command_line
from ops.commands import deploy
from testkit.emulator_harness import Emulator, start_emulator
from tests.emulator.test_cloudformation import build_migration

SAMCONFIG = """
version = 0.1
[default.deploy.parameters]
region = "us-east-1"
resolve_s3 = true
capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
"""
TOPIC = {"Type": "AWS::SNS::Topic"}
# As in template.yaml.
INCLUDED = {"Metadata": {}, "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "api.json"}}}
NAMED_ROLE = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "named", "AssumeRolePolicyDocument": {}}}
NOBODY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SESSION_TOKEN": "expired"}
NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
DELETE = "Before that, delete the stack: `aws cloudformation delete-stack --stack-name drill --region us-east-1`."
CORRECT = "Correct it in samconfig.toml, and deploy again; docs/reference/parameters.md describes it."
REFUSAL = "Nothing was changed. airports.name is narrowed: keep VARCHAR(80), or add a new field beside it."


@dataclass(frozen=True)
class Kind:
    """A template, or what makes it fail, and the line. `options` are those of the command."""

    template: dict[str, Any] | str
    line: str
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def with_group(name: str) -> dict[str, Any]:
    return {"Resources": {"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}}}


def with_parameter(**size: Any) -> dict[str, Any]:
    return {"Parameters": {"Size": size}, "Resources": {"Topic": TOPIC}}


KINDS = {
    "the name of a resource is taken": Kind(
        with_group("/drill/taken"),
        "Group (AWS::Logs::LogGroup) could not be created: Resource of type 'AWS::Logs::LogGroup' with identifier "
        "'/drill/taken' already exists. Something outside of the stack has this name: delete it, or deploy under "
        f"another stack name. {DELETE}",
    ),
    "the migration refuses": Kind(
        build_migration(Revision="1", Fail=REFUSAL), f"The migration failed: {REFUSAL} Then deploy again."
    ),
    "the migration crashes": Kind(
        build_migration(Revision="1", Crash="true"), "The migration failed: RuntimeError: cannot respond."
    ),
    "a secret is missing": Kind(
        with_group("{{resolve:secretsmanager:none:SecretString}}"),
        "Group (AWS::Logs::LogGroup) could not be created: Dynamic reference {{resolve:secretsmanager:none:"
        "SecretString}} could not be resolved: secret none not found. Correct the ARN in DatabaseAdminSecretArn or "
        f"CacheSecretArn; it must name a secret of us-east-1. {DELETE}",
    ),
    "resources wait for each other": Kind(
        {"Resources": {"One": {**TOPIC, "DependsOn": "Two"}, "Two": {**TOPIC, "DependsOn": "One"}}},
        "The stack drill could not be created: Circular dependency detected among resources: One, Two.",
    ),
    "a number is too small": Kind(
        with_parameter(Type="Number", MinValue=1, ConstraintDescription="must be 1 or more"),
        f"drill was not deployed: Parameter 'Size' must be 1 or more. {CORRECT}",
        ("--parameter", "Size=0"),
    ),
    "a value is not allowed": Kind(
        with_parameter(Type="String", AllowedValues=["5", "6"]),
        f"drill was not deployed: Parameter 'Size' value '0' is not in AllowedValues: ['5', '6']. {CORRECT}",
        ("--parameter", "Size=0"),
    ),
    "a parameter is missing": Kind(
        with_parameter(Type="String"),
        f"drill was not deployed: Parameter 'Size' has no Default and was not provided. {CORRECT}",
    ),
    "a rule is broken": Kind(
        {
            **with_parameter(Type="String", Default=""),
            "Rules": {
                "Sized": {
                    "Assertions": [
                        {
                            "Assert": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Size"}, ""]}]},
                            "AssertDescription": "With ReadCache=true, Size must be given.",
                        }
                    ]
                }
            },
        },
        "drill was not deployed: With ReadCache=true, Size must be given. Correct the parameter in samconfig.toml, and "
        "deploy again.",
    ),
    "a capability is missing": Kind(
        {"Resources": {"Role": NAMED_ROLE}},
        "drill was not deployed: Requires capabilities : [CAPABILITY_NAMED_IAM]. Add CAPABILITY_NAMED_IAM to "
        "`capabilities` in samconfig.toml, or give `--capabilities CAPABILITY_NAMED_IAM`.",
    ),
    "the template has too many resources": Kind(
        {"Resources": {f"Topic{number}": TOPIC for number in range(501)}},
        "drill was not deployed: Number of resources, 501, is greater than maximum allowed, 500. Resources with "
        "indexed fields make the template grow; drop an index or a resource (docs/how-to/adopt-a-resource.md names the "
        "limit), and set resolve_s3 = true in samconfig.toml.",
    ),
    "api.json is missing": Kind(
        {"Resources": {"Topic": TOPIC, "Api": INCLUDED}},
        "`sam build` writes api.json from the resource classes; run it again, and deploy again.",
    ),
    "loops are not switched on": Kind(
        {"Resources": {"Fn::ForEach::Topics": ["Name", ["One", "Two"], {"${Name}": TOPIC}]}},
        "Set language_extensions = true for this environment in samconfig.toml, build, and deploy again.",
    ),
    "the template is not YAML": Kind("Resources: [", "Correct it, and deploy again."),
    "a resource type does not exist": Kind(
        {"Resources": {"Topic": {"Type": "AWS::No::Topic"}}},
        "drill was not deployed: Unrecognized resource types: [AWS::No::Topic]. Correct it, and deploy again.",
    ),
    "the code of a function is missing": Kind(
        {"Resources": {"Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "nowhere/"}}}},
        "Correct it, and deploy again.",
    ),
    "the credentials are invalid": Kind(
        {"Resources": {"Topic": TOPIC}},
        "drill was not deployed: The security token included in the request is invalid. Sign in to AWS again, or give "
        "another --profile, and deploy again.",
        environment=NOBODY,
    ),
    "AWS cannot be reached": Kind(
        {"Resources": {"Topic": TOPIC}},
        'drill was not deployed: Could not connect to the endpoint URL: "http://127.0.0.1:9/". Check the network, a '
        "proxy and --region, and deploy again.",
        environment=NOWHERE,
    ),
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("emulator"))
    started.client("logs").create_log_group(logGroupName="/drill/taken")
    yield started
    started.stop()


@pytest.fixture
def deploy_kind(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Kind], list[str]]:
    """Deploy it with `sluice deploy`, which must fail; the lines of standard error."""

    def run(kind: Kind) -> list[str]:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        settings = {"AWS_ENDPOINT_URL": emulator.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name, value in {
            **settings,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.2",
            **kind.environment,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(deploy, "PROJECT", tmp_path)
        (tmp_path / "samconfig.toml").write_text(SAMCONFIG)
        template = kind.template
        if isinstance(template, dict):
            template = json.dumps({"Transform": "AWS::Serverless-2016-10-31", **template})
        (tmp_path / "template.yaml").write_text(template)
        assert run_command_line(["deploy", "--no-build", "--stack-name", "drill", *kind.options]) == 1
        return capsys.readouterr().err.splitlines()

    return run


@pytest.fixture(autouse=True)
def _no_stack(emulator: Emulator) -> Iterator[None]:
    yield
    cloudformation = emulator.client("cloudformation")
    cloudformation.delete_stack(StackName="drill")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="drill", WaiterConfig={"Delay": 1})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_failing_deployment_ends_with_one_clear_line(deploy_kind: Callable[[Kind], list[str]], kind: Kind) -> None:
    *_, log, line = deploy_kind(kind)
    print(f"\n{line}")
    assert log == "log: .aws-sam/deploy.log"
    assert line.startswith("sluice: ")
    assert kind.line in line
    assert "Waiter" not in line
