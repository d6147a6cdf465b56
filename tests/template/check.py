"""Check a template: `python -m tests.template.check [FILE]`, with src/ in PYTHONPATH as in `make check`.

Without FILE, it checks template.yaml and edge.yaml.

Prints one line for each finding. Exits with 1 when there is a finding.

Each of these misses findings of the others: the SAM CLI, cfn-lint on the translated template, the rules of this project
(rules/), which are cfn-lint rules too, and the judges of other projects (judges.py).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cfnlint import lint  # type: ignore[import-untyped]
from cfnlint.decode import decode  # type: ignore[import-untyped]

from testkit.translate import (
    EDGE_TEMPLATE,
    REPOSITORY,
    TEMPLATE,
    NotTranslatable,
    Template,
    read,
    read_with_includes,
    translate,
)
from tests.template.judges import Finding, judge
from tests.template.quotas import list_excesses
from tests.template.rules import (
    alarms,
    api,
    archive,
    caches,
    edge,
    endpoints,
    events,
    firewall,
    functions,
    lifecycle,
    logs,
    migrations,
    observed,
    parameters,
    reasons,
    replicas,
    secrets,
    storage,
    workflows,
)
from tests.template.rules.rule import Rule
from tests.template.rules.rule import Template as Linted

RULES: tuple[Rule, ...] = (
    functions.DatabaseConcurrency(),
    functions.WritesIsolated(),
    functions.FunctionLogs(),
    logs.LogRetention(),
    logs.PlatformDropsNoLine(),
    logs.NoMetricFromLines(),
    logs.AccessLogIds(),
    workflows.TasksRecover(),
    workflows.WorkflowLogs(),
    storage.TlsOnly(),
    storage.Encrypted(),
    storage.DataRetained(),
    storage.NoOpenIngress(),
    api.MethodScopes(),
    api.ProblemDocuments(),
    api.Throttles(),
    events.DeadLetters(),
    parameters.Described(),
    caches.CallersKeptApart(),
    caches.QueryDigestSent(),
    api.FunctionsInvocable(),
    api.NoMethodMetrics(),
    caches.ParametersInKeys(),
    caches.ErrorsNotCached(),
    edge.EdgeTransport(),
    edge.Firewalls(),
    edge.FirewallLogs(),
    edge.NoCookiesForwarded(),
    edge.NamesUniqueInAccount(),
    api.SchemesDefined(),
    firewall.ManagedRulesBlockedByLabel(),
    firewall.FirewallResponses(),
    firewall.FirewallCapacity(),
    endpoints.EndpointPolicies(),
    endpoints.EndpointRoutes(),
    archive.ArchiveLocked(),
    alarms.Alarms(),
    alarms.StackMetrics(),
    alarms.FunctionAlarms(),
    alarms.WorkflowAlarms(),
    alarms.StreamAlarms(),
    alarms.DatabaseAlarms(),
    alarms.ApiAlarms(),
    alarms.RejectedWritesAlarm(),
    observed.DatabaseObserved(),
    observed.ArchiveCools(),
    observed.AccessLogged(),
    secrets.SecretsHidden(),
    migrations.MigrationTriggers(),
    migrations.MigrationTimeouts(),
    migrations.VersionPerInstance(),
    lifecycle.FailedCreationDeleted(),
    lifecycle.CreatedUnprotected(),
    lifecycle.RefusedBeforeDatabase(),
    lifecycle.QuietCreation(),
    lifecycle.NoLateLogGroup(),
    replicas.ReplicasAlike(),
)
SOURCE_RULES: tuple[Rule, ...] = (reasons.WildcardReasons(),)


def check_with_sam(path: Path) -> Iterator[Finding]:
    """The findings of `sam validate --lint`, with included files in place: SAM does not read them."""
    sam = shutil.which("sam", path=f"{REPOSITORY / '.tools/sam/bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if sam is None:
        yield Finding("sam", "The SAM CLI is not installed; run `make setup`.")
        return
    # Linting needs a Region, but no account.
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    with TemporaryDirectory() as folder:
        whole = Path(folder, path.name)
        whole.write_text(json.dumps(read_with_includes(path)))
        done = subprocess.run(
            [sam, "validate", "--lint", "--template-file", str(whole)],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        yield Finding("sam validate --lint", (done.stdout + done.stderr).strip())


def check_with_cfn_lint(translated: Template) -> Iterator[Finding]:
    """The findings of cfn-lint on the translated template."""
    for match in lint(json.dumps(translated)):
        place = "/".join(str(part) for part in match.path or [])
        yield Finding(match.rule.id, f"{match.message} ({place})" if place else match.message)


def check_with_rules(translated: Template) -> Iterator[Finding]:
    """The findings of the project's rules on the translated template."""
    yield from _run(RULES, Linted(None, translated))


def check_source_with_rules(path: Path) -> Iterator[Finding]:
    """The findings of the project's rules on the source text."""
    template, faults = decode(str(path))
    if template is None or faults:
        yield from (Finding(fault.rule.id, fault.message) for fault in faults or [])
        return
    yield from _run(SOURCE_RULES, Linted(str(path), template))


def _run(rules: tuple[Rule, ...], template: Linted) -> Iterator[Finding]:
    for rule in rules:
        for match in rule.match(template):
            yield Finding(rule.id, match.message)


def list_findings(path: Path) -> Iterator[Finding]:
    yield from check_with_sam(path)
    yield from check_source_with_rules(path)
    template = read(path)
    # edge.yaml repeats a part of template.yaml, so the judges of other projects have seen its resources there.
    is_edge = path.name == EDGE_TEMPLATE.name
    if not is_edge:
        yield from (Finding("E9178", excess) for excess in list_excesses(template))
    try:
        translated = translate(template, REPOSITORY)
    except NotTranslatable as refusal:
        yield Finding("translation", str(refusal))
        return
    yield from check_with_cfn_lint(translated)
    yield from check_with_rules(translated)
    if not is_edge:
        yield from judge(translated)


def main(path: Path) -> int:
    findings = list(list_findings(path))
    for finding in findings:
        print(f"{path.name}: {finding.rule}: {finding.message}")
    print(f"{path.name}: {len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(max(main(path) for path in ([Path(word) for word in sys.argv[1:]] or [TEMPLATE, EDGE_TEMPLATE])))
