"""Checks of the account and Region: credentials, quotas and settings that all stacks share."""

from typing import Any

from botocore.exceptions import ClientError

from ops.checks import CheckResult
from ops.preflight.plan import DeploymentPlan
from ops.quotas import FIREHOSE_QUOTAS, FirehoseQuota, default_firehose_quota, read_firehose_quota

# Lambda keeps these executions for functions without a reservation.
UNRESERVED_EXECUTIONS = 100
WRITE_METHODS = ("POST", "PUT", "DELETE")


def check_credentials(plan: DeploymentPlan) -> CheckResult:
    """Who deploys, and to which account."""
    identity = plan.stack.client("sts").get_caller_identity()
    return CheckResult("credentials", "ok", f"{identity['Arn']} in account {identity['Account']}.")


def check_region(plan: DeploymentPlan) -> CheckResult:
    """The Region is enabled and has two Availability Zones; the web ACL of CloudFront is made in us-east-1 only."""
    region = plan.stack.region
    client = plan.stack.client("ec2")
    try:
        zones = client.describe_availability_zones(Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}])
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"AuthFailure", "OptInRequired"}:
            raise
        hint = "Enable it in the account's settings, or choose another one."
        return CheckResult("region", "failed", f"The account has not enabled {region}.", hint)
    if (count := len(zones["AvailabilityZones"])) < 2:
        return CheckResult("region", "failed", f"{region} has {count} Availability Zone, and the database needs two.")
    if region != "us-east-1" and not plan.template.parameters["EdgeAclArn"]:
        hint = "Deploy with `sluice deploy`, which makes the web ACL there, or set EdgeAclArn."
        message = f"{region} can have no web ACL for CloudFront; AWS makes those in us-east-1 only."
        return CheckResult("region", "warning", message, hint)
    return CheckResult("region", "ok", f"{region} is enabled and has {count} Availability Zones.")


def check_concurrency(plan: DeploymentPlan) -> CheckResult:
    """The account has the concurrency that the functions reserve. Without it, the first deploy fails late."""
    client = plan.stack.client("lambda")
    limit = client.get_account_settings()["AccountLimit"]
    functions = plan.template.list_resources("AWS::Serverless::Function")
    needed = sum(int(function.get("ReservedConcurrentExecutions", 0)) for function in functions.values())
    reserved = sum(_read_reservation(client, plan.physical_ids.get(name)) for name in functions)
    remaining = limit["UnreservedConcurrentExecutions"] + reserved - needed
    total = limit["ConcurrentExecutions"]
    if remaining >= UNRESERVED_EXECUTIONS:
        message = f"The functions reserve {needed:,} of the account's {total:,} executions; {remaining:,} remain."
        return CheckResult("concurrency", "ok", message)
    missing = UNRESERVED_EXECUTIONS - remaining
    message = (
        f"The functions reserve {needed:,} executions, which is {missing:,} more than the account has: "
        f"its limit is {total:,}, and {UNRESERVED_EXECUTIONS} must stay unreserved."
    )
    hint = (
        f"Request a limit of {total + missing:,} concurrent executions from Service Quotas, or lower WriteConcurrency "
        "(reserved three times) and ReadConcurrency."
    )
    return CheckResult("concurrency", "failed", message, hint)


def _read_reservation(client: Any, name: str | None) -> int:
    if name is None:
        return 0
    try:
        return int(client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0))
    except client.exceptions.ResourceNotFoundException:
        return 0


def check_firehose(plan: DeploymentPlan) -> CheckResult:
    """Firehose accepts as many requests as the API admits writes."""
    quota = _read_firehose_quota(plan)
    admitted = int(plan.template.number("ThrottleRate") * len(WRITE_METHODS))
    large_regions = ", ".join(sorted(FIREHOSE_QUOTAS))
    if admitted <= quota.requests:
        message = f"The API admits {admitted:,} writes a second; Firehose accepts {quota.requests:,} requests a second."
        return CheckResult("firehose", "ok", message)
    message = (
        f"The API admits {admitted:,} writes a second (ThrottleRate for each of {', '.join(WRITE_METHODS)}), "
        f"and Firehose accepts {quota.requests:,} requests and {quota.mebibytes} MiB: clients get 503 for the rest."
    )
    hint = (
        f"Set ThrottleRate to {quota.requests // len(WRITE_METHODS)}, or request more with AWS's Firehose limits form "
        f"(the default is higher in {large_regions})."
    )
    return CheckResult("firehose", "warning", message, hint)


def _read_firehose_quota(plan: DeploymentPlan) -> FirehoseQuota:
    """The quota of the deployed stream, which Firehose publishes as metrics; before a deploy, the Region's default."""
    default = default_firehose_quota(plan.stack.region)
    stream = plan.physical_ids.get("WriteStream")
    if stream is None:
        return default
    return read_firehose_quota(plan.stack, stream) or default


def check_api_log_role(plan: DeploymentPlan) -> CheckResult:
    """API Gateway has one log role for all APIs of the account in the Region."""
    role = plan.stack.client("apigateway").get_account().get("cloudwatchRoleArn")
    creates = plan.template.parameters["ApiLogRole"] == "create"
    if not creates and not role:
        hint = "Set ApiLogRole=create."
        return CheckResult("api log role", "failed", "API Gateway has no log role in this account and Region.", hint)
    if creates and role and plan.is_first:
        message = f"API Gateway has the log role {role}, which this deploy would replace for all APIs."
        return CheckResult("api log role", "warning", message, "Set ApiLogRole=existing to keep it.")
    return CheckResult("api log role", "ok", "The deploy sets it." if creates else f"API Gateway uses {role}.")


def check_api_throttle(plan: DeploymentPlan) -> CheckResult:
    """The account's throttle for all APIs in the Region is above that of the stack."""
    settings = plan.stack.client("apigateway").get_account()["throttleSettings"]
    rate, burst = plan.template.number("ThrottleRate"), plan.template.number("ThrottleBurst")
    account_rate, account_burst = float(settings["rateLimit"]), float(settings["burstLimit"])
    message = (
        f"The account admits {account_rate:,.0f} requests a second to all its APIs, and bursts of {account_burst:,.0f}"
    )
    if rate > account_rate or burst > account_burst:
        hint = "Lower ThrottleRate or ThrottleBurst, or request more from Service Quotas."
        return CheckResult("api throttle", "failed", f"{message}, less than ThrottleRate or ThrottleBurst.", hint)
    return CheckResult("api throttle", "ok", f"{message}.")
