"""Every rule of the template holds, and each says so when it is broken."""

import json
import shutil
from pathlib import Path

import pytest

from testkit.translate import REPOSITORY, NotTranslatable, Template, translate
from tests.template.breaks import BREAKS, Break
from tests.template.check import RULES, check_with_cfn_lint, check_with_rules
from tests.template.database_breaks import DATABASE_BREAKS
from tests.template.edge_breaks import EDGE_BREAKS
from tests.template.endpoint_breaks import ENDPOINT_BREAKS

WORKFLOW = Path("statemachines/load_batch.asl.json")


def test_the_template_breaks_no_rule(template: Template) -> None:
    assert list(check_with_rules(translate(template, REPOSITORY))) == []


ALL = [*BREAKS, *DATABASE_BREAKS, *EDGE_BREAKS, *ENDPOINT_BREAKS]


@pytest.mark.slow  # all of them together
@pytest.mark.parametrize(("rule", "message", "broken"), ALL, ids=[f"{rule} {said}" for rule, said, _ in ALL])
def test_a_broken_template_breaks_its_rule(template: Template, rule: str, message: str, broken: Break) -> None:
    broken(template["Resources"])
    findings = list(check_with_rules(translate(template, REPOSITORY)))
    assert {finding.rule for finding in findings} == {rule}
    assert any(message in finding.message for finding in findings), findings


@pytest.mark.parametrize(
    ("message", "without"),
    [
        ("ThrottleRate has no Description", {"Description"}),
        ("ThrottleRate has a limit and no ConstraintDescription", {"ConstraintDescription"}),
        ("ThrottleRate accepts any value", {"MinValue", "MaxValue"}),
    ],
)
def test_a_parameter_without_a_description_is_a_finding(template: Template, message: str, without: set[str]) -> None:
    parameter = template["Parameters"]["ThrottleRate"]
    for key in without:
        del parameter[key]
    assert [(finding.rule, finding.message) for finding in check_with_rules(translate(template, REPOSITORY))] == [
        ("E9114", message)
    ]


def test_protection_by_default_is_a_finding(template: Template) -> None:
    template["Parameters"]["DeletionProtection"]["Default"] = "true"
    findings = [(finding.rule, finding.message) for finding in check_with_rules(translate(template, REPOSITORY))]
    assert findings == [
        ("E9141", f"{name} is protected during the first creation, which then cannot be rolled back")
        for name in ("Primary", "UserPool")
    ]


@pytest.mark.parametrize("key", ["Retry", "Catch"])
@pytest.mark.parametrize("task", ["Load", "Quarantine", "NotifyQuarantined", "NotifyParked"])
def test_a_task_that_cannot_recover_is_found(template: Template, tmp_path: Path, task: str, key: str) -> None:
    definition = json.loads((REPOSITORY / WORKFLOW).read_text())
    del definition["States"][task][key]
    shutil.copytree(REPOSITORY / WORKFLOW.parent, tmp_path / WORKFLOW.parent)
    (tmp_path / WORKFLOW).write_text(json.dumps(definition))
    findings = list(check_with_rules(translate(template, tmp_path)))
    assert [finding.rule for finding in findings] == ["E9105"]
    assert f"The Task {task} of LoadBatch has no {key}" in findings[0].message


def test_a_task_within_a_map_or_a_branch_is_found(template: Template, tmp_path: Path) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    inner = {"StartAt": "Deep", "States": {"Deep": task}}
    definition = {
        "StartAt": "Each",
        "States": {
            "Each": {"Type": "Map", "ItemProcessor": inner, "Next": "Both"},
            "Both": {"Type": "Parallel", "Branches": [inner], "End": True},
        },
    }
    shutil.copytree(REPOSITORY / WORKFLOW.parent, tmp_path / WORKFLOW.parent)
    (tmp_path / WORKFLOW).write_text(json.dumps(definition))
    messages = [finding.message for finding in check_with_rules(translate(template, tmp_path))]
    assert [message for message in messages if "Retry" in message] == ["The Task Deep of LoadBatch has no Retry"] * 2


def test_a_refusal_of_the_translator_is_a_finding(template: Template) -> None:
    del template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    with pytest.raises(NotTranslatable, match="does not contain a valid Swagger definition"):
        translate(template, REPOSITORY)


def test_a_circle_that_only_the_translation_shows_is_found(template: Template) -> None:
    template["Resources"]["LoadBatch"]["Properties"]["Policies"].append(
        {"Statement": [{"Effect": "Allow", "Action": "states:StartExecution", "Resource": {"Ref": "LoadBatch"}}]}
    )
    translated_template = translate(template, REPOSITORY)
    # Of these two alone, cfn-lint needs a second and not a minute.
    workflow = {name: translated_template["Resources"][name] for name in ("LoadBatch", "LoadBatchRole")}
    findings = check_with_cfn_lint({**translated_template, "Resources": workflow})
    assert "E3004" in {finding.rule for finding in findings}


def test_an_output_that_shows_a_secret_is_found(template: Template) -> None:
    template["Outputs"]["Secret"] = {"Value": {"Fn::GetAtt": ["MachineClient", "ClientSecret"]}}
    [finding] = check_with_rules(translate(template, REPOSITORY))
    assert (finding.rule, finding.message) == ("E9124", "Outputs/Secret contains a secret")


def test_a_filter_of_a_new_resource_must_be_in_the_key(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.template.rules.caches.list_parameter_names", lambda _resources: {"colour"})
    findings = [(finding.rule, finding.message) for finding in check_with_rules(translate(template, REPOSITORY))]
    assert [rule for rule, _ in findings] == ["E9117"]
    assert findings[0][1].endswith("without method.request.querystring.colour in its key")


def test_every_rule_is_seen_failing() -> None:
    seen = {rule for rule, _, _ in ALL} | {"E9105", "E9114"}
    assert {rule.id for rule in RULES} == seen


def test_no_two_rules_share_an_id() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
