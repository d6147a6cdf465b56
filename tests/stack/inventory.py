"""What exists in the emulator, listed with the APIs of its services: CloudFormation doesn't say what it left behind.

What a deletion of a stack retains can be removed.
"""

from collections.abc import Iterator
from typing import Any

import boto3

from local.stack import Stack

# Service, operation, its arguments, the key of the list, and the field that names an entry ("" for a list of names).
_LISTS: tuple[tuple[str, str, dict[str, Any], str, str], ...] = (
    ("apigateway", "get_api_keys", {}, "items", "id"),
    ("apigateway", "get_rest_apis", {}, "items", "id"),
    ("apigateway", "get_usage_plans", {}, "items", "id"),
    ("cloudwatch", "describe_alarms", {}, "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", {}, "DashboardEntries", "DashboardName"),
    ("cognito-idp", "list_user_pools", {"MaxResults": 60}, "UserPools", "Id"),
    ("ec2", "describe_security_groups", {}, "SecurityGroups", "GroupId"),
    ("ec2", "describe_subnets", {}, "Subnets", "SubnetId"),
    ("ec2", "describe_vpc_endpoints", {}, "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_vpcs", {}, "Vpcs", "VpcId"),
    ("elasticache", "describe_replication_groups", {}, "ReplicationGroups", "ReplicationGroupId"),
    ("elasticache", "describe_users", {}, "Users", "UserId"),
    ("events", "list_rules", {}, "Rules", "Name"),
    ("firehose", "list_delivery_streams", {}, "DeliveryStreamNames", ""),
    ("iam", "list_policies", {"Scope": "Local"}, "Policies", "PolicyName"),
    ("iam", "list_roles", {}, "Roles", "RoleName"),
    ("kms", "list_keys", {}, "Keys", "KeyId"),
    ("lambda", "list_functions", {}, "Functions", "FunctionName"),
    ("lambda", "list_layers", {}, "Layers", "LayerName"),
    ("logs", "describe_deliveries", {}, "deliveries", "id"),
    ("logs", "describe_delivery_destinations", {}, "deliveryDestinations", "name"),
    ("logs", "describe_delivery_sources", {}, "deliverySources", "name"),
    ("logs", "describe_log_groups", {}, "logGroups", "logGroupName"),
    ("rds", "describe_db_instances", {}, "DBInstances", "DBInstanceIdentifier"),
    ("rds", "describe_db_parameter_groups", {}, "DBParameterGroups", "DBParameterGroupName"),
    # The local stack takes automated ones of its own primary meanwhile.
    ("rds", "describe_db_snapshots", {"SnapshotType": "manual"}, "DBSnapshots", "DBSnapshotIdentifier"),
    ("rds", "describe_db_subnet_groups", {}, "DBSubnetGroups", "DBSubnetGroupName"),
    ("s3", "list_buckets", {}, "Buckets", "Name"),
    ("secretsmanager", "list_secrets", {}, "SecretList", "Name"),
    ("sns", "list_topics", {}, "Topics", "TopicArn"),
    ("sqs", "list_queues", {}, "QueueUrls", ""),
    ("stepfunctions", "list_state_machines", {}, "stateMachines", "name"),
    ("wafv2", "list_web_acls", {"Scope": "CLOUDFRONT"}, "WebACLs", "Name"),
    ("wafv2", "list_web_acls", {"Scope": "REGIONAL"}, "WebACLs", "Name"),
)
_CLOUDFRONT = (
    ("list_cache_policies", "CachePolicyList", "CachePolicy"),
    ("list_origin_request_policies", "OriginRequestPolicyList", "OriginRequestPolicy"),
    ("list_response_headers_policies", "ResponseHeadersPolicyList", "ResponseHeadersPolicy"),
)


def list_resources(stack: Stack) -> set[str]:
    """Everything in the emulator of the stack, as `service/name`."""
    return set(_list_resources(stack))


def _list_resources(stack: Stack) -> Iterator[str]:
    for service, operation, arguments, key, field in _LISTS:
        client = stack.aws_client(service)
        pages = (
            client.get_paginator(operation).paginate(**arguments)
            if client.can_paginate(operation)
            else [getattr(client, operation)(**arguments)]
        )
        for entry in (entry for page in pages for entry in page.get(key) or []):
            yield f"{service}/{entry[field] if field else entry}"
    cloudfront = stack.aws_client("cloudfront")
    for distribution in cloudfront.list_distributions()["DistributionList"].get("Items", []):
        yield f"cloudfront/{distribution['Id']}"
    for operation, key, member in _CLOUDFRONT:
        for policy in getattr(cloudfront, operation)(Type="custom")[key].get("Items", []):
            yield f"cloudfront/{policy[member]['Id']}"


def remove_retained_resources(stack: Stack, resources: set[str]) -> None:
    """Remove what a deleted stack has left, in the order of the guide on that (`repair-a-deployment.md`)."""
    names: dict[str, list[str]] = {}
    for service, _, name in (resource.partition("/") for resource in sorted(resources)):
        names.setdefault(service, []).append(name)
    for name in names.get("firehose", []):
        stack.aws_client("firehose").delete_delivery_stream(DeliveryStreamName=name)
    for bucket in names.get("s3", []):
        stack.aws_client("s3").delete_bucket_policy(Bucket=bucket)
        _connect_to_s3(stack).Bucket(bucket).object_versions.delete()
        stack.aws_client("s3").delete_bucket(Bucket=bucket)
    for url in names.get("sqs", []):
        stack.aws_client("sqs").delete_queue(QueueUrl=url)
    for pool in names.get("cognito-idp", []):
        stack.aws_client("cognito-idp").delete_user_pool(UserPoolId=pool)
    for snapshot in names.get("rds", []):
        stack.aws_client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot)
    iam = stack.aws_client("iam")
    for role in names.get("iam", []):
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=policy)
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=role)


def _connect_to_s3(stack: Stack) -> Any:
    return boto3.resource(
        "s3",
        endpoint_url=stack.emulator.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
