"""`sluice preflight`: each check passes on a sound account, and fails on one that is broken for it."""

import datetime
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops import tools
from ops.aws import Stack, Target
from ops.checks import CheckResult
from ops.preflight import account, machine, resources
from ops.preflight.plan import DeploymentPlan
from ops.samconfig import Deployment
from testkit.emulator_harness import Emulator
from tests.ops.conftest import Sluice

STACK = "new-stack"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:admin-AbCdEf"
EXISTING = {
    "ProvisionDatabase": "false", "PrimaryEndpoint": "a", "ReplicaEndpoints": "b:3306",
    "DatabaseAdminSecretArn": SECRET,
}  # fmt: skip


class StubbedStack(Stack):
    """A stack whose services answer as a test says, operation by operation."""

    def __init__(self, region: str = "us-east-1") -> None:
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region)
        super().__init__(Target(STACK, session))
        self._stubbers: dict[str, Stubber] = {}

    def stub(self, service: str) -> Stubber:
        if service not in self._stubbers:
            self._stubbers[service] = Stubber(self.client(service))
            self._stubbers[service].activate()
        return self._stubbers[service]


def build_plan(stack: Stack | None = None, status: str | None = None, **parameters: str) -> DeploymentPlan:
    plan = DeploymentPlan(Deployment("default", STACK, "us-east-1", parameters), stack or StubbedStack())
    vars(plan)["description"] = {"StackStatus": status} if status else None
    vars(plan)["physical_ids"] = {}
    return plan


def get_checks(output: Any) -> dict[str, str]:
    return {check["name"]: check["state"] for check in output.document["checks"]}


def test_the_first_deploy_of_a_stack_with_an_existing_database_passes(sluice: Sluice, emulator: Emulator) -> None:
    secret = emulator.client("secretsmanager").create_secret(Name="admin", SecretString="{}")["ARN"]
    words = [f"{name}={secret if value == SECRET else value}" for name, value in EXISTING.items()]
    options = [option for word in words for option in ("--parameter", word)]
    output = sluice("preflight", "--json", "--stack-name", STACK, *options, "--parameter", "WriteConcurrency=50")
    assert output.exit_code == 0, output
    assert get_checks(output) == dict.fromkeys(
        [
            "python", "make", "sam", "credentials", "region", "stack", "names", "concurrency", "firehose",
            "api throttle", "api log role", "database", "network",
        ],
        "ok",
    ) | {"alerts": "warning"}  # fmt: skip
    lines = sluice("preflight", "--stack-name", STACK, *options).stdout.splitlines()
    assert f"ok       stack         {STACK} does not exist in us-east-1; this is its first deploy." in lines
    assert lines[-1] == "14 checks: 0 failed, 1 warning"


def test_a_failed_check_is_the_exit_code(sluice: Sluice) -> None:
    output = sluice("preflight", "--json", "--stack-name", STACK, "--parameter", "WriteConcurrency=1000")
    assert output.exit_code == 1
    assert get_checks(output)["concurrency"] == "failed"


def test_a_parameter_that_the_template_lacks_is_refused(sluice: Sluice) -> None:
    output = sluice("preflight", "--stack-name", STACK, "--parameter", "WriteConcurency=10")
    assert (output.exit_code, output.stdout) == (2, "")
    assert output.stderr.splitlines()[0] == "sluice: The template has no parameter WriteConcurency."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config-env", "nowhere"], "sluice: samconfig.toml has no environment nowhere."),
        (["--parameter", "ThrottleRate"], "sluice: 'ThrottleRate' is not NAME=VALUE."),
    ],
)
def test_a_wrong_command_line_is_refused(sluice: Sluice, words: list[str], message: str) -> None:
    output = sluice("preflight", *words)
    assert output.exit_code == 2
    assert output.stderr.splitlines()[0] == message


def test_a_check_without_permission_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from ops.commands.preflight import run_check  # noqa: PLC0415

    stack = StubbedStack()
    stack.stub("lambda").add_client_error("get_account_settings", "AccessDeniedException")
    result = run_check("concurrency", account.check_concurrency, build_plan(stack))
    assert (result.state, result.message) == (
        "warning",
        "Not checked: these credentials have no permission for GetAccountSettings.",
    )


def assert_fails(result: CheckResult, *words: str) -> None:
    assert result.state == "failed", result
    for word in words:
        assert word in result.line, result


def test_a_machine_without_tools_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "FOLDERS", ())
    assert_fails(machine.check_python(build_plan(Runtime="python3.13")), "python3.13", "Runtime")
    assert_fails(machine.check_make(build_plan()), "Install make")
    assert_fails(machine.check_sam(build_plan()), "not on the PATH")
    old = tmp_path / "sam"
    old.write_text("#!/bin/sh\necho 'Usage: sam build [OPTIONS]'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert_fails(machine.check_sam(build_plan()), "Fn::ForEach")


def test_tools_of_the_checkout_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(tools, "FOLDERS", (tmp_path,))
    for name in ("python3.13", "sam"):
        (tmp_path / name).write_text("#!/bin/sh\necho '  --language-extensions'\n")
        (tmp_path / name).chmod(0o755)
    assert machine.check_python(build_plan(Runtime="python3.13")).state == "ok"
    assert machine.check_sam(build_plan()).state == "ok"


def test_a_region_without_two_zones_fails() -> None:
    stack = StubbedStack()
    stub = stack.stub("ec2")
    stub.add_response("describe_availability_zones", {"AvailabilityZones": [{"ZoneName": "us-east-1a"}]})
    stub.add_client_error("describe_availability_zones", "OptInRequired")
    assert_fails(account.check_region(build_plan(stack)), "1 Availability Zone")
    assert_fails(account.check_region(build_plan(stack)), "not enabled us-east-1")


def test_another_region_needs_a_web_acl() -> None:
    stack = StubbedStack("eu-west-1")
    zones = [{"ZoneName": "eu-west-1a"}, {"ZoneName": "eu-west-1b"}]
    for _ in range(2):
        stack.stub("ec2").add_response("describe_availability_zones", {"AvailabilityZones": zones})
    result = account.check_region(build_plan(stack))
    assert (result.state, "sluice deploy" in result.hint) == ("warning", True)
    acl = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/edge/00000000-0000-0000-0000-000000000000"
    assert account.check_region(build_plan(stack, EdgeAclArn=acl)).state == "ok"


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_a_stack_that_cannot_be_updated_fails(status: str) -> None:
    result = resources.check_stack(build_plan(status=status))
    assert_fails(result, status, "docs/how-to/repair-a-deployment.md")


def test_a_stack_in_progress_fails_and_others_pass() -> None:
    assert_fails(resources.check_stack(build_plan(status="UPDATE_IN_PROGRESS")), "Wait")
    for status in ("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        assert resources.check_stack(build_plan(status=status)).state == "ok"


@pytest.mark.parametrize("service", ["logs", "cognito-idp"])
def test_a_taken_name_fails(sluice: Sluice, emulator: Emulator, service: str) -> None:
    name = f"used-{service.partition('-')[0]}"
    client: Any = emulator.client(service)
    if service == "logs":
        client.create_log_group(logGroupName=f"/aws/lambda/{name}-Post")
    else:
        pool = client.create_user_pool(PoolName="another")["UserPool"]["Id"]
        client.create_user_pool_domain(UserPoolId=pool, Domain=name.replace("cognito", "domain"))
    options = ["--parameter", f"DomainPrefix={name.replace('cognito', 'domain')}"]
    output = sluice("preflight", "--json", "--stack-name", name, *options)
    names = next(check for check in output.document["checks"] if check["name"] == "names")
    assert names["state"] == "failed"
    assert f"/aws/lambda/{name}-Post" in names["message"] or "Cognito domain used-domain" in names["message"]


def test_a_small_account_fails_and_a_deployed_stack_counts_its_own_reservations() -> None:
    stack = StubbedStack()
    stub = stack.stub("lambda")
    limit = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
    stub.add_response("get_account_settings", limit)
    plan = build_plan(stack)
    needed = sum(
        int(function.get("ReservedConcurrentExecutions", 0))
        for function in plan.template.list_resources("AWS::Serverless::Function").values()
    )
    assert needed > 200
    message = f"The functions reserve {needed} executions, which is {needed + 90} more than the account has"
    assert_fails(account.check_concurrency(plan), message, f"Request a limit of {needed + 100} ")

    limit = {"AccountLimit": {"ConcurrentExecutions": 400, "UnreservedConcurrentExecutions": 400 - needed}}
    stub.add_response("get_account_settings", limit)
    stub.add_response("get_function_concurrency", {"ReservedConcurrentExecutions": needed})
    vars(plan)["physical_ids"] = {"PostFunction": "post"}
    result = account.check_concurrency(plan)
    assert result.state == ("ok" if 400 - needed >= 100 else "failed")
    assert f"{400 - needed} remain" in result.message


@pytest.mark.parametrize(
    ("region", "rate", "state"),
    [
        ("us-east-1", 666, "ok"),
        ("us-east-1", 667, "warning"),
        ("eu-central-1", 333, "ok"),
        ("eu-central-1", 334, "warning"),
    ],
)
def test_more_writes_than_firehose_accepts_are_a_warning(region: str, rate: int, state: str) -> None:
    result = account.check_firehose(build_plan(StubbedStack(region), ThrottleRate=str(rate)))
    assert result.state == state
    if state == "warning":
        assert f"Set ThrottleRate to {rate - 1}" in result.hint


def test_a_raised_quota_of_firehose_is_read_from_its_metrics() -> None:
    stack = StubbedStack()
    series: list[dict[str, Any]] = [
        {"Id": "requests", "Values": [4_000.0]},
        {"Id": "records", "Values": [1e6]},
        {"Id": "bytes", "Values": [10 * 2.0**20]},
    ]
    plan = build_plan(stack, ThrottleRate="1300")
    vars(plan)["physical_ids"] = {"WriteStream": "stream"}
    stack.stub("cloudwatch").add_response("get_metric_data", {"MetricDataResults": series})
    assert account.check_firehose(plan).state == "ok"
    stack.stub("cloudwatch").add_response("get_metric_data", {"MetricDataResults": [{"Id": "bytes", "Values": []}]})
    assert account.check_firehose(plan).state == "warning"


def test_an_account_with_a_low_throttle_fails() -> None:
    stack = StubbedStack()
    stack.stub("apigateway").add_response("get_account", {"throttleSettings": {"rateLimit": 100.0, "burstLimit": 50}})
    assert_fails(account.check_api_throttle(build_plan(stack)), "100 requests a second")


@pytest.mark.parametrize(
    ("choice", "role", "state"),
    [
        ("create", None, "ok"),
        ("create", "arn:aws:iam::1:role/logs", "warning"),
        ("existing", None, "failed"),
        ("existing", "arn:aws:iam::1:role/logs", "ok"),
    ],
)
def test_the_log_role_of_api_gateway(choice: str, role: str | None, state: str) -> None:
    stack = StubbedStack()
    stack.stub("apigateway").add_response("get_account", {"cloudwatchRoleArn": role} if role else {})
    assert account.check_api_log_role(build_plan(stack, ApiLogRole=choice)).state == state


def build_option(**changes: Any) -> dict[str, Any]:
    option = {"EngineVersion": "10.11.19", "StorageType": "gp3", "MultiAZCapable": True, "DBInstanceClass": "c"}
    return {**option, **changes}


@pytest.mark.parametrize(
    ("options", "instances", "word"),
    [
        ([], 0, "no db.t4g.medium"),
        ([build_option(EngineVersion="10.1.1")], 0, "no db.t4g.medium"),
        ([build_option(StorageType="io1")], 0, "no db.t4g.medium"),
        ([build_option(MultiAZCapable=False)], 0, "without Multi-AZ"),
        ([build_option()], 39, "39 of 40 DB instances"),
        ([build_option()], 38, None),
    ],
)
def test_the_database_that_rds_offers(options: list[dict[str, Any]], instances: int, word: str | None) -> None:
    stack = StubbedStack()
    stub = stack.stub("rds")
    stub.add_response("describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": options})
    quota = {"AccountQuotaName": "DBInstances", "Used": instances, "Max": 40}
    stub.add_response("describe_account_attributes", {"AccountQuotas": [quota]})
    result = resources.check_database(build_plan(stack, DatabaseInstanceClass="db.t4g.medium", DatabaseVersion="10.11"))
    if word is None:
        assert result.state == "ok"
    else:
        assert_fails(result, word)


@pytest.mark.parametrize(("replicas", "used", "is_enough"), [("3", 39, False), ("3", 38, True), ("0", 40, True)])
def test_only_the_further_replicas_of_a_deployed_stack_need_room_in_the_quota(
    replicas: str, used: int, is_enough: bool
) -> None:
    stack = StubbedStack()
    stub = stack.stub("rds")
    stub.add_response("describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": [build_option()]})
    quota = {"AccountQuotaName": "DBInstances", "Used": used, "Max": 40}
    stub.add_response("describe_account_attributes", {"AccountQuotas": [quota]})
    plan = build_plan(stack, "UPDATE_COMPLETE", Replicas=replicas)
    vars(plan)["physical_ids"] = {"Primary": "db-1", "Replica": "db-2"}
    result = resources.check_database(plan)
    assert (result.state == "ok") == is_enough, result


@pytest.mark.parametrize(("replicas", "fails"), [("2", True), ("1", False)])
def test_a_new_replica_takes_no_version(replicas: str, fails: bool) -> None:
    stack = StubbedStack()
    stub = stack.stub("rds")
    stub.add_response("describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": [build_option()]})
    stub.add_response("describe_account_attributes", {"AccountQuotas": []})
    plan = build_plan(stack, "UPDATE_COMPLETE", Replicas=replicas, ReplicaVersion="11.4")
    vars(plan)["physical_ids"] = {"Primary": "db-1", "Replica": "db-2"}
    result = resources.check_database(plan)
    if fails:
        assert_fails(result, "version of its primary", "ReplicaVersion")
    else:
        assert result.state == "ok"


def test_a_missing_secret_of_an_existing_database_fails() -> None:
    stack = StubbedStack()
    stack.stub("secretsmanager").add_client_error("describe_secret", "ResourceNotFoundException")
    assert_fails(resources.check_database(build_plan(stack, None, **EXISTING)), SECRET, "DatabaseAdminSecretArn")


@pytest.mark.parametrize(
    ("parameters", "is_there", "words"),
    [
        ({"BackupProof": "weekly"}, True, ("PrimaryInstance names no RDS instance", "Set PrimaryInstance")),
        ({"PrimaryInstance": "orders"}, False, ("no instance orders in us-east-1", "PrimaryInstance")),
        ({"BackupProof": "weekly", "PrimaryInstance": "orders"}, True, None),
        ({}, True, None),
    ],
)
def test_backups_of_an_existing_database_need_its_instance(
    parameters: dict[str, str], is_there: bool, words: tuple[str, str] | None
) -> None:
    stack = StubbedStack()
    stack.stub("secretsmanager").add_response("describe_secret", {})
    if is_there:
        stack.stub("rds").add_response("describe_db_instances", {"DBInstances": []}, {"DBInstanceIdentifier": "orders"})
    else:
        stack.stub("rds").add_client_error("describe_db_instances", "DBInstanceNotFound")
    result = resources.check_database(build_plan(stack, None, **EXISTING, **parameters))
    if words:
        assert_fails(result, *words)
    else:
        assert result.state == "ok", result


def test_the_network_needs_a_vpc_of_the_quota() -> None:
    stack = StubbedStack()
    for _ in range(2):
        stack.stub("ec2").add_response("describe_vpcs", {"Vpcs": [{"VpcId": f"vpc-{number}"} for number in range(5)]})
    quotas = stack.stub("service-quotas")
    quotas.add_client_error("get_service_quota", "AccessDeniedException")
    quotas.add_response("get_service_quota", {"Quota": {"Value": 6.0}})
    assert_fails(resources.check_network(build_plan(stack)), "5 of 5 VPCs")
    assert resources.check_network(build_plan(stack)).state == "ok"


def test_a_missing_subnet_fails() -> None:
    stack = StubbedStack()
    stack.stub("ec2").add_client_error("describe_subnets", "InvalidSubnetID.NotFound", "The subnet 'subnet-0' is gone")
    parameters = {**EXISTING, "SubnetIds": "subnet-0", "SecurityGroupIds": "sg-0"}
    assert_fails(resources.check_network(build_plan(stack, None, **parameters)), "subnet-0")


def test_the_time_of_metrics_is_the_last_day() -> None:
    stack = StubbedStack()
    now = datetime.datetime.now(datetime.UTC)
    stub = stack.stub("cloudwatch")
    captured: dict[str, Any] = {}
    stack.client("cloudwatch").meta.events.register(
        "before-parameter-build.cloudwatch.GetMetricData", lambda params, **_: captured.update(params)
    )
    stub.add_response("get_metric_data", {"MetricDataResults": []})
    plan = build_plan(stack)
    vars(plan)["physical_ids"] = {"WriteStream": "stream"}
    account.check_firehose(plan)
    assert abs((captured["EndTime"] - now).total_seconds()) < 60
    assert captured["EndTime"] - captured["StartTime"] == datetime.timedelta(days=1)
