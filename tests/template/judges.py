"""Judges that others keep: checkov on the resources, parliament on the policies, statelint on the workflows.

They have an environment of their own, .tools/judges (`local/setup.sh judges`). They see the template as it is deployed
with everything that parameters can turn on, so that no condition hides a resource or a value from them.

`skips.toml` lists what is not followed, with the reason. A skip that skips nothing is a finding too.
"""

import json
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testkit.translate import REPOSITORY, Template
from tests.template.rules.deployed import Deployed

JUDGES = REPOSITORY / ".tools/judges/bin"
SKIPS = Path(__file__).parent / "skips.toml"
WORKFLOWS = "statemachines"

# Parameters with which the stack has every resource of the template.
EVERYTHING = {
    "AccessLogBucket": "access-logs",
    "AlertEmail": "alerts@example.com",
    "ApiCacheSize": "0.5",
    "ArchiveColdDays": "90",
    "ArchiveLockDays": "30",
    "ArchiveReplicaBucketArn": "arn:aws:s3:::archive-replica",
    "BackupProof": "weekly",
    "CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000",
    "ClientQuota": "1000",
    "ClientRate": "10",
    "CustomDomain": "sluice.example.com",
    "DatabaseInsights": "true",
    "DatabaseMonitoringSeconds": "60",
    "DatabaseStorageLimit": "1000",
    "FreeTextCollections": "bookings",
    "MultiAz": "true",
    "ReadCache": "true",
    "Replicas": "5",
    "RunbookUrl": "https://git.example.com/sluice/blob/main/docs",
    "SlowQueryLog": "true",
}
# CloudFormation's names of policy documents that name actions and resources. A trust policy names no resource, which
# parliament does not know; cfn-lint judges trust policies.
_DOCUMENTS = ("PolicyDocument", "KeyPolicy")


@dataclass(frozen=True)
class Finding:
    rule: str
    message: str


@dataclass(frozen=True)
class _Complaint:
    """What a judge says: `check` names what it looked at, `place` the resource, policy or state."""

    judge: str
    check: str
    place: str
    detail: str


def judge(translated: Template, folder: Path = REPOSITORY) -> Iterator[Finding]:
    """The findings of all judges on a translated template and on the workflows below the folder."""
    if not (JUDGES / "checkov").exists():
        yield Finding("judges", "The judges are not installed; run `local/setup.sh judges`.")
        return
    skips = tomllib.loads(SKIPS.read_text())
    with ThreadPoolExecutor() as threads:
        waiting = [
            threads.submit(_ask_checkov, translated),
            threads.submit(_ask_parliament, list_policies(translated)),
            threads.submit(_ask_statelint, folder),
        ]
        complaints = [complaint for answer in waiting for complaint in answer.result()]
    used = set()
    for complaint in complaints:
        keys = [complaint.check, f"{complaint.check} {complaint.place}"]
        if skip := next((key for key in keys if key in skips[complaint.judge]), None):
            used.add((complaint.judge, skip))
        else:
            yield Finding(f"{complaint.judge} {complaint.check}", f"{complaint.place}: {complaint.detail}")
    for name, listed in skips.items():
        for skip in listed:
            if (name, skip) not in used:
                yield Finding(name, f"{SKIPS.name} skips {skip}, which {name} does not find any more: remove the line")


def list_policies(translated: Template) -> dict[str, Any]:
    """Every policy document of the template, without references, by the resource and the place in it."""
    deployed = Deployed(translated, **EVERYTHING)
    policies: dict[str, Any] = {}
    for kind in sorted({resource["Type"] for resource in translated["Resources"].values()}):
        for name, properties in deployed.of_type(kind).items():
            _collect_policies(properties, name, policies)
    return policies


def _collect_policies(node: Any, place: str, policies: dict[str, Any]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _DOCUMENTS:
                policies[place] = value
            else:
                _collect_policies(value, f"{place}.{key}", policies)
    elif isinstance(node, list):
        for position, value in enumerate(node):
            _collect_policies(value, f"{place}.{position}", policies)


def _ask_checkov(translated: Template) -> list[_Complaint]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.json"
        file.write_text(json.dumps(Deployed(translated, **EVERYTHING).decide_conditions()))
        command = ["checkov", "--file", str(file), "--framework", "cloudformation", "--output", "json", "--quiet"]
        answer = json.loads(_run([*command, "--compact", "--skip-download"], failure=(0, 1)))
    if answer["summary"]["parsing_errors"]:
        return [_Complaint("checkov", "unread", file.name, "checkov cannot read it")]
    return [
        _Complaint("checkov", failed["check_id"], failed["resource"].rpartition(".")[2], failed["check_name"])
        for failed in answer["results"]["failed_checks"]
    ]


def _ask_parliament(policies: dict[str, Any]) -> list[_Complaint]:
    program = str(Path(__file__).parent / "judge_policies.py")
    answer = json.loads(_run(["python", program], given=json.dumps(policies)))
    return [_Complaint("parliament", issue, name, detail) for name, issue, detail in answer]


def _ask_statelint(folder: Path) -> list[_Complaint]:
    complaints = []
    for file in sorted((folder / WORKFLOWS).glob("*.asl.json")):
        # The first line counts the errors; each other line is an error.
        lines = _run(["statelint", str(file)], failure=(0, 1)).splitlines()[1:]
        complaints += [_Complaint("statelint", line.strip(), file.name, "no Amazon States Language") for line in lines]
    return complaints


def _run(command: list[str], *, given: str = "", failure: tuple[int, ...] = (0,)) -> str:
    """The standard output of a command of the judges' environment. Raises RuntimeError when it breaks."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AWS_"))}
    done = subprocess.run(
        [str(JUDGES / command[0]), *command[1:]],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in failure:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
