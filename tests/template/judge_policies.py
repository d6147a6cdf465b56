"""Run by the Python of .tools/judges: parliament's findings on policies.

Reads {name: policy document} as JSON on standard input, writes [name, issue, detail] for each finding. parliament's own
command names a wrong file for some findings, so this program calls it for each policy by itself.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any

warnings.simplefilter("ignore")  # parliament 1.6 uses syntax and a module that Python deprecates

from parliament import analyze_policy_string  # noqa: E402


def describe(finding: Any) -> Iterator[tuple[str, str]]:
    """The issue and the detail; a mismatch of actions and resources is an issue for each action."""
    if finding.issue == "RESOURCE_MISMATCH":
        for mismatch in finding.detail:
            yield f"RESOURCE_MISMATCH {mismatch['action']}", f"no resource has the form {mismatch['required_format']}"
    else:
        yield finding.issue, str(finding.detail)


def main() -> None:
    findings: list[list[str]] = []
    for name, document in json.load(sys.stdin).items():
        analysed = analyze_policy_string(json.dumps(document))
        findings += [[name, *words] for finding in analysed.findings for words in describe(finding)]
    json.dump(findings, sys.stdout)


if __name__ == "__main__":
    main()
