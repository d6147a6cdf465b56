"""What a reader looks for is documented."""

import re

import pytest
import yaml

from ops.template import read_template
from tests.docs.words import ROOT
from tools.docs.command_line import list_verbs
from tools.docs.decisions import read_records
from tools.docs.settings import find_settings

DOCS = ROOT / "docs"
TEMPLATE = read_template()
GUIDES = "\n".join(path.read_text() for path in sorted((DOCS / "how-to").glob("*.md")))
ALARM_TYPES = {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
ALARMS = [name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] in ALARM_TYPES]


def read(page: str) -> str:
    return (ROOT / page).read_text()


def test_the_readme_is_short() -> None:
    assert len(read("README.md").split()) <= 600


def test_every_parameter_is_described_and_in_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(TEMPLATE["Parameters"])
    page = read("docs/reference/parameters.md")
    assert [name for name in TEMPLATE["Parameters"] if f"| `{name}` |" not in page] == []


def test_parameters_that_the_guides_name_exist() -> None:
    table = read("docs/how-to/deploy.md").split("## Parameters to think about", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 30
    assert named - set(TEMPLATE["Parameters"]) == set()


def test_every_alarm_has_a_page_that_helps() -> None:
    table = read("docs/how-to/operate.md").split("## Which page belongs to an alarm", 1)[1].split("\n## ", 1)[0]
    assert sorted(re.findall(r"\b\w+Alarm\b", table)) == sorted(ALARMS)


def test_every_setting_is_described() -> None:
    settings = find_settings(ROOT / "src/sluice/settings.py")
    assert len(settings) > 20
    page = read("docs/reference/settings.md")
    assert [name for name in settings if f"`{name}`" not in page] == []


@pytest.mark.parametrize("verb", list_verbs())
def test_every_command_is_in_a_guide(verb: str) -> None:
    assert re.search(rf"`?sluice {verb}\b|`{verb}\b", GUIDES)


def test_every_sample_event_is_described() -> None:
    page = read("docs/reference/events.md")
    cases = {
        f"{folder.name}/{case.stem}"
        for folder in (ROOT / "events").iterdir()
        if folder.is_dir()
        for case in folder.glob("*.json")
    }
    assert len(cases) > 40
    described = {
        f"{folder}/{case}"
        for folder, text in re.findall(r"^\| `([a-z_]+)/` \| .*? \| (.*) \|$", page, re.MULTILINE)
        for case in re.findall(r"`(\w+)`:", text)
    }
    assert described == cases


CHANGES = {
    "the console",
    "a check of a deployment",
    "a view of the console",
    "a resource",
    "a field type",
    "a filter",
    "an alarm",
    "an operator command",
    "a reason of a failed deployment",
    "a WAF rule",
    "a workflow retry or state",
    "a metric",
    "a widget or a saved query",
    "a problem document",
    "a migration rule",
    "an emulator gap",
}


def test_contributing_names_one_place_for_each_change() -> None:
    table = read("CONTRIBUTING.md").split("## Where to make a change", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| ([^|]+?) \| `([^`|]+)` \|", table, re.MULTILINE))
    assert set(rows) == CHANGES
    assert [place for place in rows.values() if not (ROOT / place).exists()] == []


def test_decision_records_are_numbered_and_refer_to_each_other() -> None:
    records = list(read_records(DOCS / "adr"))
    assert [record.number for record in records] == [f"ADR-{number:04}" for number in range(1, len(records) + 1)]
    assert [record.date for record in records] == sorted(record.date for record in records)
    for record in records:
        text = record.path.read_text()
        assert [re.sub(r"\n.*", "", part) for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]] == [
            "Context",
            "Decision",
            "Consequences",
        ], record.path
        status = re.fullmatch(
            r"Accepted|(Superseded|Amended) by \[ADR-(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\)", record.status
        )
        assert status, record.path
        if status[3]:
            newer = (DOCS / "adr" / status[3]).read_text()
            verb = {"Superseded": "Supersedes", "Amended": "Amends"}[status[1]]
            assert f"{verb} [{record.number}]" in newer, record.path


def test_the_workflows_of_the_code_host_run_every_gate() -> None:
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert sorted(commands) == ["SHORT=1 make drill", "make check", "make docs", "make test"]


def test_the_hooks_before_a_commit_need_no_download() -> None:
    repositories = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in hooks} == {"system"}
