"""`sluice deploy` with the SAM CLI: the web ACL and the access log are in us-east-1, the rest is where it should be."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from local.stack.folder import REPOSITORY
from ops import tools
from ops.commands import deploy
from testkit.edge_template import build_edge_template
from testkit.emulator_harness import Emulator
from testkit.translate import TEMPLATE, read
from tests.ops.conftest import Sluice

SAMCONFIG = """
version = 0.1
[default.deploy.parameters]
stack_name = "abroad"
region = "eu-west-1"
resolve_s3 = true
capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
fail_on_empty_changeset = false
parameter_overrides = ["FreeTextCollections=remarks,letters", "LogRetentionDays=7"]
[home.deploy.parameters]
stack_name = "home"
region = "us-east-1"
resolve_s3 = true
capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
[local.deploy.parameters]
stack_name = "sluice-local"
"""
EDGE_STACK = "abroad-eu-west-1-edge"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the edge of the project's template, and its edge.yaml."""
    # The account's log role would be seen by the tests of `sluice preflight`, which share the emulator.
    template = build_edge_template(tmp_path / "outage", ApiLogRole="existing")
    whole = read(TEMPLATE)
    template["Outputs"] |= {name: whole["Outputs"][name] for name in ("Url", "EdgeAclArn")}
    body = {"Transform": "AWS::Serverless-2016-10-31", **template}
    (tmp_path / "template.yaml").write_text(json.dumps(body))
    (tmp_path / "edge.yaml").write_text((REPOSITORY / "edge.yaml").read_text())
    (tmp_path / "samconfig.toml").write_text(SAMCONFIG)
    resources = tmp_path / "src" / "resources"
    resources.mkdir(parents=True)
    (resources / "posts.py").write_text('@resource("posts", free_text=True)\nclass Post(Item):\n    text: str\n')
    monkeypatch.setattr(deploy, "PROJECT", tmp_path)
    monkeypatch.setenv("SAM_CLI_TELEMETRY", "0")
    monkeypatch.setenv("SAM_CLI_POLL_DELAY", "0.2")  # seconds between its questions how far a deployment is
    return tmp_path


@pytest.fixture
def sluice(emulator: Emulator, clean_environment: pytest.MonkeyPatch, bare_sluice: Sluice) -> Sluice:
    """Run the command with credentials; samconfig.toml names the stack and the Region."""
    settings = {"ENDPOINT_URL": emulator.url, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}
    for name, value in settings.items():
        clean_environment.setenv(f"AWS_{name}", value)
    return bare_sluice


def list_stacks(emulator: Emulator, region: str) -> dict[str, dict[str, str]]:
    """The outputs of each Sluice stack of a Region, by its name."""
    stacks = replace(emulator, region=region).client("cloudformation").describe_stacks()["Stacks"]
    return {
        stack["StackName"]: {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        for stack in stacks
        if stack["StackName"].startswith(("abroad", "home")) and stack["StackStatus"] != "DELETE_COMPLETE"
    }


@pytest.mark.slow
def test_outside_us_east_1_one_command_deploys_both_stacks(sluice: Sluice, emulator: Emulator, project: Path) -> None:
    output = sluice("deploy", "--parameter", "EdgeRateLimit=500", "--json", "--", "--no-confirm-changeset")
    assert output.exit_code == 0, output
    main, edge = list_stacks(emulator, "eu-west-1")["abroad"], list_stacks(emulator, "us-east-1")[EDGE_STACK]
    assert json.loads(output.stdout) == {
        "stack": "abroad",
        "region": "eu-west-1",
        "url": main["Url"],
        "edge_stack": EDGE_STACK,
    }
    distribution = emulator.client("cloudfront").get_distribution_config(Id=main["DistributionId"])
    assert distribution["DistributionConfig"]["WebACLId"] == edge["EdgeAclArn"]
    name, identifier = edge["EdgeAclArn"].split("/")[2:]
    acl = emulator.client("wafv2").get_web_acl(Name=name, Id=identifier, Scope="CLOUDFRONT")["WebACL"]
    rules = {rule["Name"]: rule["Statement"] for rule in acl["Rules"]}
    # The parameters of samconfig.toml and of the command line, and what the classes say.
    assert rules["RateByAddress"]["RateBasedStatement"]["Limit"] == 500
    assert "^/v1/(remarks|letters|posts)(/" in json.dumps(rules["BodyRefused"])
    logs = emulator.client("logs")
    [source] = logs.describe_delivery_sources()["deliverySources"]
    assert source["resourceArns"][0].endswith(f"distribution/{main['DistributionId']}")
    [group] = logs.describe_log_groups(logGroupNamePrefix="/aws/vendedlogs/cloudfront/")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (f"/aws/vendedlogs/cloudfront/{EDGE_STACK}", 7)

    # Again, and with a changed rule: the same two stacks, and the access log stays.
    again = sluice("deploy", "--parameter", "EdgeRateLimit=600", "--no-build")
    assert again.exit_code == 0, again
    assert again.stdout.splitlines() == [
        "deployed abroad in eu-west-1",
        f"deployed its web ACL and access log as {EDGE_STACK} in us-east-1",
        f"the service is at {main['Url']}",
    ]
    assert list_stacks(emulator, "us-east-1")[EDGE_STACK] == edge
    assert list_stacks(emulator, "eu-west-1")["abroad"] == main
    acl = emulator.client("wafv2").get_web_acl(Name=name, Id=identifier, Scope="CLOUDFRONT")["WebACL"]
    [rate] = [rule["Statement"]["RateBasedStatement"]["Limit"] for rule in acl["Rules"] if rule["Priority"] == 1]
    assert rate == 600


@pytest.mark.slow
def test_in_us_east_1_and_with_a_web_acl_of_the_operator_there_is_one_stack(
    sluice: Sluice, emulator: Emulator, project: Path
) -> None:
    output = sluice("deploy", "--config-env", "home")
    assert output.exit_code == 0, output
    home = list_stacks(emulator, "us-east-1")
    assert [name for name in home if name.startswith("home")] == ["home"]
    [acl] = [
        acl["ARN"]
        for acl in emulator.client("wafv2").list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
        if acl["Name"].startswith("home")
    ]
    own = sluice(
        "deploy", "--stack-name", "abroad-own", "--parameter", f"EdgeAclArn={acl}", "--no-build", "--",
        "--no-confirm-changeset",
    )  # fmt: skip
    assert own.exit_code == 0, own
    assert "abroad-own" in list_stacks(emulator, "eu-west-1")
    # Later deploys keep it.
    kept = sluice("deploy", "--stack-name", "abroad-own", "--no-build", "--", "--no-confirm-changeset")
    assert kept.exit_code == 0, kept
    assert not [name for name in list_stacks(emulator, "us-east-1") if name.startswith("abroad-own")]


@pytest.mark.slow
def test_a_new_stack_is_protected_after_its_creation(sluice: Sluice, emulator: Emulator, project: Path) -> None:
    template = json.loads((project / "template.yaml").read_text())
    template["Parameters"]["DeletionProtection"] = {"Type": "String", "Default": "false"}
    template["Outputs"]["Protection"] = {"Value": {"Ref": "DeletionProtection"}}
    (project / "template.yaml").write_text(json.dumps(template))
    for _ in range(2):
        arguments = ("--config-env", "home", "--stack-name", "home-protected", "--parameter", "DeletionProtection=true")
        deployed = sluice("deploy", *arguments, "--", "--no-fail-on-empty-changeset")
        assert deployed.exit_code == 0, deployed
        assert list_stacks(emulator, "us-east-1")["home-protected"]["Protection"] == "true"
    events = emulator.client("cloudformation").describe_stack_events(StackName="home-protected")["StackEvents"]
    ends = [
        event["ResourceStatus"]
        for event in events
        if event["LogicalResourceId"] == "home-protected" and event["ResourceStatus"].endswith("E_COMPLETE")
    ]
    # Created without protection, protected, and then nothing to change.
    assert ends == ["UPDATE_COMPLETE", "CREATE_COMPLETE"]


def test_a_failure_of_the_sam_cli_is_one_sentence_and_the_way_out(
    sluice: Sluice, project: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    (project / "edge.yaml").write_text((REPOSITORY / "edge.yaml").read_text().replace("Scope: CLOUDFRONT", "Scope: X"))
    (project / "template.yaml").write_text("Resources: 1")
    failed = sluice("deploy")
    assert (failed.exit_code, failed.stderr.splitlines()[-2:]) == (
        1,
        [
            "log: .aws-sam/deploy.log",
            "sluice: `sam build` failed: 'Resources' section is required. Correct it, and build again.",
        ],
    )
    assert "Error: " in (project / ".aws-sam" / "deploy.log").read_text()
    clean_environment.setenv("PATH", os.devnull)
    clean_environment.setattr(tools, "FOLDERS", (project,))
    missing = sluice("deploy")
    assert (missing.exit_code, missing.stderr.splitlines()) == (
        2,
        ["sluice: The SAM CLI is not installed.", "hint: Install it, or run `make setup`."],
    )


def test_the_local_stack_and_an_unknown_environment_are_refused(
    sluice: Sluice, project: Path, emulator: Emulator
) -> None:
    (project / "state.json").write_text(json.dumps({"emulator_port": emulator.port}))
    refused = sluice("deploy", "--config-env", "local")
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (
        2,
        "sluice: The local stack is deployed by `make up`.",
    )
    assert sluice("deploy", "--config-env", "other").exit_code == 2
