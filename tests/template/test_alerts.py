"""A deployment says who is notified, and its conditions choose what a database class can have."""

import pytest

from ops.template import ResolvedTemplate, read_template

CREDIT_ALARMS = {"PrimaryCreditsAlarm", "ReplicaCreditsAlarm"}


def resolve(**parameters: str) -> ResolvedTemplate:
    return ResolvedTemplate(read_template(), parameters, "sluice", "eu-west-1")


def test_without_an_address_the_output_says_that_nobody_is_notified() -> None:
    output = resolve().resolve(read_template()["Outputs"]["AlertsReach"])
    assert output["Value"].startswith("nobody: AlertEmail is empty")


def test_with_an_address_the_output_names_it() -> None:
    output = resolve(AlertEmail="operators@example.com").resolve(read_template()["Outputs"]["AlertsReach"])
    assert output["Value"].startswith("operators@example.com, once the link")


@pytest.mark.parametrize(
    ("instance_class", "provision", "alarms"),
    [
        ("db.t4g.medium", "true", CREDIT_ALARMS),
        ("db.t3.2xlarge", "true", CREDIT_ALARMS),
        ("db.r7g.large", "true", set()),
        ("db.t4g.medium", "false", set()),
    ],
)
def test_only_burstable_databases_of_the_stack_have_alarms_on_credits(
    instance_class: str, provision: str, alarms: set[str]
) -> None:
    template = resolve(DatabaseInstanceClass=instance_class, ProvisionDatabase=provision)
    assert {name for name in template.resources if name.endswith("CreditsAlarm")} == alarms


@pytest.mark.parametrize(("seconds", "has_role"), [("0", False), ("60", True)])
def test_only_enhanced_monitoring_has_a_role(seconds: str, has_role: bool) -> None:
    template = resolve(DatabaseMonitoringSeconds=seconds)
    assert ("DatabaseMonitoringRole" in template.resources) == has_role
    for name in ("Primary", "Replica"):
        assert ("MonitoringRoleArn" in template.resources[name]["Properties"]) == has_role
