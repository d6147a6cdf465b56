"""Each judge of another project finds what is broken for it. `make check` asks them about the template as it is."""

import copy
import json
import shutil
from pathlib import Path

import pytest

from testkit.translate import REPOSITORY, TEMPLATE, Template, read, translate
from tests.template import judges
from tests.template.check import check_with_cfn_lint
from tests.template.judges import EVERYTHING, Finding, judge, list_policies
from tests.template.rules.deployed import Deployed


@pytest.fixture(scope="module")
def translated() -> Template:
    return translate(read(TEMPLATE), REPOSITORY)


@pytest.fixture(scope="module")
def broken(translated: Template) -> Template:
    template = copy.deepcopy(translated)
    resources = template["Resources"]
    bucket = resources["BatchBucket"]["Properties"]
    bucket["AccessControl"] = "PublicRead"
    bucket["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"] = False
    statements = resources["LoadFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements[0]["Action"] = ["s3:GetObject", "s3:GetObjekt"]
    endpoint = resources["S3Endpoint"]["Properties"]["PolicyDocument"]["Statement"]
    endpoint[0]["Resource"] = {"Fn::GetAtt": ["BatchBucket", "Arn"]}
    resources["BatchBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Condition"] = {
        "Bool": {"aws:SecureTransports": "false"}
    }
    # Encrypted after all: the skip for it has nothing to skip.
    resources["LoadFunction"]["Properties"]["KmsKeyArn"] = {"Fn::GetAtt": ["AlertsKey", "Arn"]}
    resources["Replica"]["Properties"]["StorageEncrypted"] = True
    states = resources["LoadBatch"]["Properties"]["Definition"]["States"]
    states["Load"].update(Type="Tusk", Next="Nowhere")
    return template


@pytest.fixture(scope="module")
def findings(broken: Template, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What the judges find in a template that is broken for each of them. One run, because checkov takes seconds."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(REPOSITORY / "statemachines", folder / "statemachines")
    file = folder / "statemachines/load_batch.asl.json"
    definition = json.loads(file.read_text())
    definition["States"]["Load"].update(Type="Tusk", Next="Nowhere")
    file.write_text(json.dumps(definition))
    return list(judge(broken, folder))


def test_the_judges_see_every_resource(translated: Template) -> None:
    judged = Deployed(translated, **EVERYTHING).decide_conditions()["Resources"]
    assert set(judged) == set(translated["Resources"])
    assert "Fn::If" not in json.dumps(judged)


def test_every_kind_of_policy_is_judged(translated: Template) -> None:
    policies = list_policies(translated)
    assert {
        "S3Endpoint",
        "SecretsEndpoint",
        "BatchBucketPolicy",
        "AlertsKey",
        "ReplayChildren",
        "WorkflowLogDelivery",
    } <= set(policies)
    roles = [name for name in policies if name.startswith("LoadFunctionRole.")]
    assert [policies[name]["Statement"][0]["Action"] for name in roles] == ["s3:GetObject"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("checkov CKV_AWS_20", "BatchBucket: Ensure the S3 bucket does not allow READ permissions"),
        ("checkov CKV_AWS_56", "BatchBucket: Ensure S3 bucket has RestrictPublicBuckets enabled"),
        ("parliament UNKNOWN_ACTION", "LoadFunctionRole.Policies.0: "),
        ("parliament RESOURCE_MISMATCH s3:GetObject", "S3Endpoint: no resource has the form"),
        ("parliament UNKNOWN_CONDITION_FOR_ACTION", "BatchBucketPolicy: "),
        ("checkov", "skips CKV_AWS_16 Replica, which checkov does not find any more"),
    ],
)
def test_a_judge_finds_what_is_broken(findings: list[Finding], rule: str, message: str) -> None:
    assert any(finding.rule == rule and message in finding.message for finding in findings), findings


@pytest.mark.slow
@pytest.mark.parametrize("message", ["load_batch.asl.json", "Nowhere", "Tusk"])
def test_statelint_finds_a_broken_state(findings: list[Finding], message: str) -> None:
    assert any(
        finding.rule.startswith("statelint") and message in f"{finding.rule} {finding.message}" for finding in findings
    ), findings


@pytest.mark.slow
def test_a_judge_finds_nothing_else(findings: list[Finding]) -> None:
    known = ("BatchBucket", "LoadFunctionRole", "S3Endpoint", "load_batch.asl.json", "CKV_AWS_16 Replica")
    assert [finding for finding in findings if not any(name in finding.message for name in known)] == []


def test_cfn_lint_judges_workflows_and_actions_too(broken: Template) -> None:
    # Of these two alone, cfn-lint needs seconds and not a minute.
    resources = {name: broken["Resources"][name] for name in ("LoadBatch", "LoadFunctionRole")}
    findings = check_with_cfn_lint({**broken, "Resources": resources})
    assert {"E3601", "W3037"} <= {finding.rule for finding in findings}


def test_a_missing_judge_is_a_finding(translated: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "JUDGES", tmp_path)
    [finding] = judge(translated)
    assert "run `local/setup.sh judges`" in finding.message


def test_a_judge_that_breaks_is_no_silence() -> None:
    with pytest.raises(RuntimeError, match="python ended with 1"):
        judges._ask_parliament({"Broken": {"Statement": "none"}})
