"""The check as `make check` and CI run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.translate import EDGE_TEMPLATE, REPOSITORY
from tests.template.check import check_source_with_rules

STATEMENT = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - Effect: Allow
                Action: logs:CreateLogDelivery
{resource}
"""


def run(template: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.template.check", str(template)]
    # The rules look at the resource classes too.
    environment = {**os.environ, "PYTHONPATH": f"src{os.pathsep}."}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_broken_template_ends_1_with_a_line_for_each_finding(tmp_path: Path) -> None:
    # The smaller template: what the judges of other projects find is in test_judges.py.
    broken = EDGE_TEMPLATE.read_text().replace("      RetentionInDays: !Ref LogRetentionDays\n", "", 1)
    broken = broken.replace("EvaluationWindowSec: 300", "EvaluationWindowSec: many", 1)
    role = STATEMENT.format(resource='                Resource: "*"').partition("Resources:\n")[2]
    path = tmp_path / EDGE_TEMPLATE.name
    path.write_text(broken.replace("\nResources:\n", f"\nResources:\n{role}", 1))
    done = run(path)
    assert done.returncode == 1
    rules = {line.split(": ")[1] for line in done.stdout.splitlines() if line.startswith("edge.yaml: ")}
    assert {"sam validate --lint", "E3012", "E9104", "E9115"} <= rules
    assert "EdgeAclLog has no RetentionInDays" in done.stdout


@pytest.mark.parametrize(
    ("resource", "count"),
    [
        ('                Resource: "*"', 1),
        ('                Resource: ["arn:aws:logs:eu-west-1:123456789012:*", "*"]', 1),
        ('                # These actions know no resource.\n                Resource: "*"', 0),
        ('                Resource: "*" # these actions know no resource', 0),
        ("                Resource: !GetAtt Log.Arn", 0),
    ],
)
def test_a_wildcard_needs_a_reason(tmp_path: Path, resource: str, count: int) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(STATEMENT.format(resource=resource))
    assert [finding.rule for finding in check_source_with_rules(path)] == ["E9115"] * count
