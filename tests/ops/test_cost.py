"""`sluice cost`: the sums are right, and a parameter changes what it should."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from ops.cost import canary
from ops.cost.estimate import Estimate
from ops.cost.prices import read_prices
from ops.cost.traffic import Traffic
from ops.errors import UsageError
from ops.samconfig import parse_parameters
from ops.template import TEMPLATE_PATH, ResolvedTemplate, read_template
from sluice.canary import run
from tests.ops.conftest import Sluice


def estimate(traffic: Traffic | None = None, **parameters: str) -> Estimate:
    template = ResolvedTemplate(read_template(), {"Canary": "off", **parameters}, "sluice", "us-east-1")
    return Estimate(template, read_prices({}), traffic or Traffic())


def get_part(of: Estimate, name: str) -> Any:
    return next((part for part in of.components if part.name == name), None)


def test_the_components_are_the_resources_times_their_prices() -> None:
    default = estimate(MultiAz="true", DatabaseStorage="100", DatabaseInstanceClass="db.t4g.medium")
    assert get_part(default, "database").idle == pytest.approx(3 * 0.065 * 730)
    assert get_part(default, "database storage").idle == pytest.approx(3 * 100 * 0.115)
    assert get_part(default, "network endpoints").idle == pytest.approx(2 * 0.01 * 730)
    assert get_part(default, "API").writes == pytest.approx(3.5)
    assert get_part(default, "firewall").reads == pytest.approx(2 * 0.6)
    # A million records of at most 5 KB.
    assert get_part(default, "stream").writes == pytest.approx(5 * 0.029)
    assert default.total == pytest.approx(default.idle + default.steady + default.writes + default.reads)


def test_an_estimate_needs_no_build(tmp_path: Path) -> None:
    # The files that a build writes are beside the template, and this copy has none.
    copy = tmp_path / "template.yaml"
    copy.write_text(TEMPLATE_PATH.read_text())
    template = ResolvedTemplate(read_template(copy), {"Canary": "off"}, "sluice", "us-east-1")
    assert Estimate(template, read_prices({}), Traffic()).total == estimate().total


@pytest.mark.parametrize(("replicas", "copies"), [("0", 2), ("1", 3), ("2", 4), ("5", 7)])
def test_each_replica_costs_an_instance_and_its_storage(replicas: str, copies: int) -> None:
    # A primary with a standby counts twice.
    each = estimate(Replicas=replicas, MultiAz="true", DatabaseStorage="100", DatabaseInstanceClass="db.t4g.medium")
    assert get_part(each, "database").idle == pytest.approx(copies * 0.065 * 730)
    assert get_part(each, "database storage").idle == pytest.approx(copies * 100 * 0.115)


def test_a_deployment_without_a_database_and_cache_pays_none() -> None:
    existing = estimate(ProvisionDatabase="false", PrimaryEndpoint="a", ReplicaEndpoints="b:3306")
    assert [get_part(existing, name) for name in ("database", "database storage", "network endpoints")] == [None] * 3
    assert get_part(estimate(), "read cache") is None
    assert get_part(estimate(ReadCache="true"), "read cache").idle == pytest.approx(0.0256 * 730)


def test_lines_share_requests_and_records() -> None:
    packed = estimate(Traffic(lines=100))
    assert get_part(packed, "API").writes == pytest.approx(0.035)
    # 81 lines of 1,250 bytes in a record of 100 KiB are billed with 105,000 bytes.
    assert get_part(packed, "stream").writes == pytest.approx(1e6 / 81 * 105_000 / 1e9 * 0.029)


def test_the_number_of_batches_follows_time_and_then_size() -> None:
    slow, often = estimate(BufferSeconds="60"), estimate(BufferSeconds="10")
    assert get_part(often, "batches").steady / get_part(slow, "batches").steady == pytest.approx(6, rel=0.1)
    assert (slow.idle, slow.per_million_writes) == pytest.approx((often.idle, often.per_million_writes))
    assert get_part(slow, "batches").writes == 0
    assert get_part(estimate(Traffic(writes=1_000_000_000)), "batches").writes > 0


def test_the_canary_costs_its_waiting_and_its_requests_and_takes_batches_along() -> None:
    off, paused, default = (estimate(Canary=value) for value in ("off", "paused", "scheduled"))
    assert get_part(off, "canary") is get_part(paused, "canary") is None
    assert get_part(paused, "sign-in of machines").idle - get_part(off, "sign-in of machines").idle == pytest.approx(6)
    # 43,800 runs of 73 seconds in 128 MB, without anything else.
    assert get_part(default, "canary").idle > 43_800 * 73 * 0.125 * 0.0000133334
    assert get_part(default, "canary").idle < get_part(estimate(Canary="scheduled", BufferSeconds="300"), "canary").idle
    # What real writes need in addition is less, because the canary's batches exist anyway.
    assert get_part(default, "batches") is None or get_part(default, "batches").steady < get_part(off, "batches").steady
    # Three composite alarms, and 13 alarms on one metric each.
    alarms = (
        get_part(default, "alarms, metrics and dashboard").idle - get_part(paused, "alarms, metrics and dashboard").idle
    )
    assert alarms == pytest.approx(3 * 0.5 + 13 * 0.1 + 6 * 0.3)


def test_proofs_of_backups_cost_some_hours_of_one_instance() -> None:
    off, weekly = (estimate(BackupProof=value) for value in ("none", "weekly"))
    assert get_part(off, "proof of backups") is None
    proof = get_part(weekly, "proof of backups")
    assert proof is not None
    # 4.3 proofs of 2 hours of one db.t4g.medium with 20 GB, the function, and a custom metric.
    proofs = 730 / 24 / 7
    assert proof.total == pytest.approx(proofs * (2 * (0.065 + 20 * 0.115 / 730) + 2000 * 0.0000133334) + 0.3, rel=0.01)
    multi_az = get_part(estimate(BackupProof="weekly", MultiAz="true"), "proof of backups")
    assert multi_az is not None
    assert multi_az.total == pytest.approx(proof.total)
    existing = get_part(
        estimate(BackupProof="weekly", ProvisionDatabase="false", PrimaryInstance="orders"), "proof of backups"
    )
    assert existing is not None
    assert existing.total == pytest.approx(proof.total)


def test_the_canary_s_figures_are_those_of_its_code() -> None:
    assert (canary.POLLS, canary.MAX_WAIT_SECONDS) == (run.POLLS, run.MAX_WAIT_SECONDS)


def test_an_idle_stack_pays_for_no_traffic() -> None:
    idle = estimate(Traffic(writes=0, reads=0))
    assert idle.total == pytest.approx(idle.idle)
    assert (idle.per_million_writes, idle.per_million_reads) == (0, 0)


def test_the_command_needs_no_credentials_and_prints_what_a_change_costs(bare_sluice: Sluice) -> None:
    output = bare_sluice("cost", "--what-if", "MultiAz=false", "--writes", "2,000,000")
    assert output.exit_code == 0, output
    lines = output.stdout.splitlines()
    assert lines[0].split() == shlex.split("dollars a month idle steady 2,000,000 writes 1,000,000 reads total")
    assert lines[-1].split()[0] == "MultiAz=false"
    assert float(lines[-1].split()[1]) == pytest.approx(-(0.065 * 730 + 20 * 0.115), abs=0.01)
    document = json.loads(bare_sluice("cost", "--json", "--what-if", "MultiAz=false").stdout)
    assert document["what_if"]["MultiAz=false"]["idle"] < 0
    assert document["total"] == pytest.approx(sum(part["total"] for part in document["components"]))


def test_the_small_environment_costs_about_half(bare_sluice: Sluice) -> None:
    costs = [
        json.loads(bare_sluice("cost", "--json", *words).stdout)["idle"] for words in ([], ["--config-env", "small"])
    ]
    assert costs[1] < 0.6 * costs[0]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["--parameter", "DatabaseInstanceClass=db.x9.huge"],
            "The price table of 2026-11-29 has no price of db.x9.huge.",
            'Give it: --price "db.x9.huge=DOLLARS", for an hour of an instance or node.',
        ),
        (["--price", "key=cheap"], "A price is not a number", ""),
        (["--lines", "0"], "--lines must be 1 or more.", ""),
        (["--writes", "-1"], "Argument --writes: invalid parse_count value", "See `sluice cost --help`."),
        (
            ["--what-if", "Nothing=1"],
            "The template has no parameter Nothing.",
            "docs/reference/parameters.md lists them.",
        ),
    ],
)
def test_a_wrong_command_line_is_refused(bare_sluice: Sluice, words: list[str], message: str, hint: str) -> None:
    output = bare_sluice("cost", *words)
    assert (output.exit_code, output.stdout) == (2, "")
    assert output.stderr.startswith(f"sluice: {message}")
    assert hint in output.stderr


def test_a_price_can_be_given(bare_sluice: Sluice) -> None:
    words = ["--parameter", "DatabaseInstanceClass=db.x9.huge", "--price", "db.x9.huge=1", "--json"]
    document = json.loads(bare_sluice("cost", *words).stdout)
    assert document["components"][0]["idle"] == pytest.approx(3 * 730)
    assert parse_parameters(["a=b=c"]) == {"a": "b=c"}


def test_a_template_whose_included_file_is_not_built_yet_is_read_without_its_resources(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "Resources:\n"
        "  Api:\n"
        "    Metadata: {WrittenBy: somebody}\n"
        "    Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.json}}\n"
        "  Topic: {Type: AWS::SNS::Topic}\n"
    )
    assert read_template(path)["Resources"].keys() == {"Topic"}
    (tmp_path / "api.json").write_text('{"Type": "AWS::Serverless::Api", "Properties": {"StageName": "live"}}')
    api = read_template(path)["Resources"]["Api"]
    assert (api["Type"], api["Properties"]["StageName"]) == ("AWS::Serverless::Api", "live")
    (tmp_path / "api.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        read_template(path)
