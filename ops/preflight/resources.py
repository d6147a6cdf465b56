"""Checks of what the deploy creates or uses: the stack itself, names, database and network."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from ops.checks import CheckResult
from ops.preflight.plan import DeploymentPlan

_REPAIR = "docs/how-to/repair-a-deployment.md says how to repair it."
# AWS's default for VPCs of a Region, and the code of that quota in Service Quotas.
DEFAULT_VPCS, VPC_QUOTA_CODE = 5, "L-F678F1CE"


def check_stack(plan: DeploymentPlan) -> CheckResult:
    """The stack is in a state that a deploy can start from."""
    name = plan.stack.name
    if plan.description is None:
        return CheckResult("stack", "ok", f"{name} does not exist in {plan.stack.region}; this is its first deploy.")
    status = plan.description["StackStatus"]
    if status.endswith("_IN_PROGRESS"):
        return CheckResult("stack", "failed", f"{name} is in {status}.", "Wait until it ends.")
    if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"}:
        return CheckResult("stack", "failed", f"{name} is in {status}, from which no deploy can start.", _REPAIR)
    return CheckResult("stack", "ok", f"{name} exists and is in {status}.")


def check_names(plan: DeploymentPlan) -> CheckResult:
    """No other resource has a name that the first deploy creates."""
    if not plan.is_first:
        return CheckResult("names", "ok", "The stack has its names already.")
    conflicts = list(islice(_list_taken_names(plan), 5))
    if conflicts:
        hint = "Choose another stack name, or remove them: they may be left from an earlier stack."
        return CheckResult("names", "failed", f"These names are taken: {', '.join(conflicts)}.", hint)
    return CheckResult("names", "ok", "No log group, sign-in domain or distribution has a name of this stack.")


def _list_taken_names(plan: DeploymentPlan) -> Iterator[str]:
    logs = plan.stack.client("logs")
    for properties in plan.template.list_resources("AWS::Logs::LogGroup").values():
        name = properties["LogGroupName"]
        groups = logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
        if any(group["logGroupName"] == name for group in groups):
            yield f"log group {name}"
    if prefix := plan.template.parameters["DomainPrefix"]:
        domain = plan.stack.client("cognito-idp").describe_user_pool_domain(Domain=prefix)["DomainDescription"]
        if domain.get("UserPoolId"):
            yield f"Cognito domain {prefix}"
    if host := plan.template.parameters["CustomDomain"]:
        pages = plan.stack.client("cloudfront").get_paginator("list_distributions").paginate()
        for page in pages:
            for distribution in page["DistributionList"].get("Items", []):
                if host in distribution["Aliases"].get("Items", []):
                    yield f"host name {host} (CloudFront distribution {distribution['Id']})"


def check_database(plan: DeploymentPlan) -> CheckResult:
    """RDS offers the instance class with the version in this Region; an existing database's secrets exist."""
    if not plan.template.holds("OwnDatabase"):
        return _check_existing_database(plan)
    parameters = plan.template.parameters
    class_, version = parameters["DatabaseInstanceClass"], parameters["DatabaseVersion"]
    client = plan.stack.client("rds")
    pages = client.get_paginator("describe_orderable_db_instance_options").paginate(
        Engine="mariadb", DBInstanceClass=class_
    )
    options = [
        option
        for page in pages
        for option in page["OrderableDBInstanceOptions"]
        if f"{option['EngineVersion']}.".startswith(f"{version}.") and option["StorageType"] == "gp3"
    ]
    if not options:
        message = f"RDS offers no {class_} with MariaDB {version} and gp3 storage in {plan.stack.region}."
        return CheckResult("database", "failed", message, "Choose another DatabaseInstanceClass or DatabaseVersion.")
    if parameters["MultiAz"] == "true" and not any(option["MultiAZCapable"] for option in options):
        message = f"RDS offers {class_} with MariaDB {version} in {plan.stack.region} without Multi-AZ only."
        return CheckResult("database", "failed", message, "Choose another DatabaseInstanceClass, or set MultiAz=false.")
    quotas = client.describe_account_attributes()["AccountQuotas"]
    instances = next((quota for quota in quotas if quota["AccountQuotaName"] == "DBInstances"), None)
    new = plan.template.list_resources("AWS::RDS::DBInstance").keys() - plan.physical_ids.keys()
    if parameters["ReplicaVersion"] and new - {"Primary"}:
        message = (
            "RDS creates a replica with the version of its primary, and the deploy gives a new one a ReplicaVersion."
        )
        return CheckResult("database", "failed", message, "Set ReplicaVersion to empty in this deploy.")
    needed = len(new)
    if needed and instances and instances["Used"] + needed > instances["Max"]:
        message = (
            f"The account has {instances['Used']} of {instances['Max']} DB instances, and the deploy creates {needed}."
        )
        return CheckResult("database", "failed", message, "Request more from Service Quotas, or choose fewer Replicas.")
    return CheckResult("database", "ok", f"RDS offers {class_} with MariaDB {version} in {plan.stack.region}.")


def _check_existing_database(plan: DeploymentPlan) -> CheckResult:
    parameters = plan.template.parameters
    names = ["DatabaseAdminSecretArn"]
    if parameters["ReadCache"] == "true":
        names.append("CacheSecretArn")
    for name in names:
        try:
            plan.stack.client("secretsmanager").describe_secret(SecretId=parameters[name] or "none")
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            message = f"There is no secret {parameters[name] or '(empty)'}."
            return CheckResult("database", "failed", message, f"{name} must name it.")
    return _check_existing_instance(plan) or CheckResult(
        "database", "ok", "The secrets of the existing database exist."
    )


def _check_existing_instance(plan: DeploymentPlan) -> CheckResult | None:
    """What is wrong with the RDS instance that restores and proofs of backups need; None if nothing is."""
    name = plan.template.parameters["PrimaryInstance"]
    if not name and plan.template.parameters["BackupProof"] == "weekly":
        message = "BackupProof=weekly restores snapshots of the primary, and PrimaryInstance names no RDS instance."
        return CheckResult("database", "failed", message, "Set PrimaryInstance, or BackupProof=none.")
    if not name:
        return None
    try:
        plan.stack.client("rds").describe_db_instances(DBInstanceIdentifier=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"DBInstanceNotFound", "DBInstanceNotFoundFault"}:
            raise
        message = f"RDS has no instance {name} in {plan.stack.region}."
        return CheckResult("database", "failed", message, "PrimaryInstance must name the instance of the primary.")
    return None


def check_network(plan: DeploymentPlan) -> CheckResult:
    """The account may have one more VPC, or the subnets and security groups exist."""
    client = plan.stack.client("ec2")
    if not plan.template.holds("OwnDatabase"):
        return _check_existing_network(client, plan.template.parameters)
    if not plan.is_first:
        return CheckResult("network", "ok", "The stack has its VPC already.")
    count = sum(len(page["Vpcs"]) for page in client.get_paginator("describe_vpcs").paginate())
    quota = _read_vpc_quota(plan)
    if count >= quota:
        message = f"The account has {count} of {quota} VPCs in {plan.stack.region}, and the stack needs one."
        return CheckResult("network", "failed", message, "Delete one, or request more from Service Quotas.")
    return CheckResult("network", "ok", f"The account has {count} of {quota} VPCs in {plan.stack.region}.")


def _read_vpc_quota(plan: DeploymentPlan) -> int:
    client = plan.stack.client("service-quotas")
    try:
        return int(client.get_service_quota(ServiceCode="vpc", QuotaCode=VPC_QUOTA_CODE)["Quota"]["Value"])
    except ClientError:
        # Whoever deploys may not read quotas. The default is never more than the quota.
        return DEFAULT_VPCS


def _check_existing_network(client: Any, parameters: dict[str, str]) -> CheckResult:
    if not parameters["SubnetIds"]:
        return CheckResult("network", "ok", "The functions need no VPC.")
    try:
        client.describe_subnets(SubnetIds=parameters["SubnetIds"].split(","))
        client.describe_security_groups(GroupIds=parameters["SecurityGroupIds"].split(","))
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("Invalid"):
            raise
        message = str(error.response["Error"]["Message"]).rstrip(".")
        return CheckResult("network", "failed", f"{message}.", "Correct SubnetIds or SecurityGroupIds.")
    return CheckResult("network", "ok", "The subnets and security groups exist.")


def check_alerts(plan: DeploymentPlan) -> CheckResult:
    """Somebody receives alerts."""
    if address := plan.template.parameters["AlertEmail"]:
        return CheckResult("alerts", "ok", f"Alerts go to {address}, once its owner has confirmed AWS's mail.")
    hint = "Set AlertEmail, or subscribe to the topic after the deploy."
    return CheckResult("alerts", "warning", "AlertEmail is empty: nobody is notified of alarms.", hint)
