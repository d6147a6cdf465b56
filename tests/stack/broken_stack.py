"""Break a deployed stack through the APIs of AWS, and restore it."""

import copy
import datetime
import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.stack import Stack

STACK_NAME = "sluice-local"


def find_resource(stack: Stack, logical_id: str) -> str:
    """The physical id of a resource."""
    formation = stack.aws_client("cloudformation")
    resource = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


@contextmanager
def disabled_rule(stack: Stack, logical_id: str) -> Iterator[None]:
    """Disable a rule of EventBridge."""
    events, name = stack.aws_client("events"), find_resource(stack, logical_id).rpartition("/")[2]
    events.disable_rule(Name=name)
    try:
        yield
    finally:
        events.enable_rule(Name=name)


@contextmanager
def changed_role(stack: Stack, logical_id: str, change: Any) -> Iterator[None]:
    """Replace the first inline policy of a role by `change(policy)`; None deletes it."""
    iam, role = stack.aws_client("iam"), find_resource(stack, logical_id)
    name = iam.list_role_policies(RoleName=role)["PolicyNames"][0]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    changed = change(policy)
    if changed is None:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    else:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(changed))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


@contextmanager
def changed_web_acl(stack: Stack, logical_id: str, **changes: Any) -> Iterator[None]:
    """Change settings of a web ACL."""
    waf, (name, id_, scope) = stack.aws_client("wafv2"), find_resource(stack, logical_id).split("|")
    acl = {"Name": name, "Id": id_, "Scope": scope}
    described = waf.get_web_acl(**acl)
    known = waf.meta.service_model.operation_model("UpdateWebACL").input_shape.members
    settings = {key: value for key, value in described["WebACL"].items() if key in known} | acl
    waf.update_web_acl(**{**settings, **changes}, LockToken=described["LockToken"])
    stack.edge.start()  # it reads the configuration at once
    try:
        yield
    finally:
        waf.update_web_acl(**settings, LockToken=waf.get_web_acl(**acl)["LockToken"])
        stack.edge.start()


@contextmanager
def without_query_digest(stack: Stack) -> Iterator[None]:
    """Remove the functions from the distribution."""
    cloudfront, id_ = stack.aws_client("cloudfront"), stack.outputs["DistributionId"]

    def update(config: dict[str, Any]) -> None:
        etag = cloudfront.get_distribution_config(Id=id_)["ETag"]
        cloudfront.update_distribution(Id=id_, IfMatch=etag, DistributionConfig=config)
        stack.edge.start()  # it reads the configuration at once

    config = cloudfront.get_distribution_config(Id=id_)["DistributionConfig"]
    for origin in config["Origins"]["Items"]:
        # The API requires what the template leaves to CloudFront.
        origin["CustomOriginConfig"] = {"HTTPPort": 80, "HTTPSPort": 443, **origin["CustomOriginConfig"]}
    broken = copy.deepcopy(config)
    for behaviour in (broken["DefaultCacheBehavior"], *broken["CacheBehaviors"]["Items"]):
        behaviour["FunctionAssociations"] = {"Quantity": 0}
    update(broken)
    try:
        yield
    finally:
        update(config)


@contextmanager
def changed_alarm(stack: Stack, logical_id: str, **changes: Any) -> Iterator[None]:
    """Change settings of an alarm."""
    watch, name = stack.aws_client("cloudwatch"), find_resource(stack, logical_id)
    [alarm] = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    known = watch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    settings = {key: value for key, value in alarm.items() if key in known}
    watch.put_metric_alarm(**{**settings, **changes})
    try:
        yield
    finally:
        watch.put_metric_alarm(**settings)


@contextmanager
def changed_dashboard(stack: Stack, widgets: list[Any] | None) -> Iterator[None]:
    """Replace the widgets of the dashboard; None deletes it."""
    watch, name = stack.aws_client("cloudwatch"), find_resource(stack, "Dashboard")
    body = watch.get_dashboard(DashboardName=name)["DashboardBody"]
    if widgets is None:
        watch.delete_dashboards(DashboardNames=[name])
    else:
        watch.put_dashboard(DashboardName=name, DashboardBody=json.dumps({"widgets": widgets}))
    try:
        yield
    finally:
        watch.put_dashboard(DashboardName=name, DashboardBody=body)


@contextmanager
def unsubscribed(stack: Stack) -> Iterator[None]:
    """Remove the subscribers of the alerts."""
    sns, topic = stack.aws_client("sns"), stack.outputs["AlertsTopicArn"]
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    for subscription in subscriptions:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    try:
        yield
    finally:
        for subscription in subscriptions:
            sns.subscribe(TopicArn=topic, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])


@contextmanager
def machine_client_without_flow(stack: Stack) -> Iterator[None]:
    """Forbid the machine client to get a token."""
    cognito = stack.aws_client("cognito-idp")
    ids = {"UserPoolId": stack.outputs["UserPoolId"], "ClientId": stack.outputs["MachineClientId"]}
    client = cognito.describe_user_pool_client(**ids)["UserPoolClient"]
    known = cognito.meta.service_model.operation_model("UpdateUserPoolClient").input_shape.members
    settings = {key: value for key, value in client.items() if key in known and value != ""}
    cognito.update_user_pool_client(**{**settings, "AllowedOAuthFlows": ["code"]})
    try:
        yield
    finally:
        cognito.update_user_pool_client(**settings)


@contextmanager
def changed_function(stack: Stack, function: str, **changes: Any) -> Iterator[None]:
    """Change the configuration of a function; a change of `Variables` is added to its environment."""
    client, name = stack.aws_client("lambda"), stack.outputs[f"{function}FunctionName"]
    configuration = client.get_function_configuration(FunctionName=name)
    variables = configuration["Environment"]["Variables"]
    settings = {"LoggingConfig": configuration["LoggingConfig"], "Environment": {"Variables": variables}}
    if "Variables" in changes:
        changes = {"Environment": {"Variables": {**variables, **changes["Variables"]}}}
    if "LoggingConfig" in changes:
        changes = {"LoggingConfig": {**configuration["LoggingConfig"], **changes["LoggingConfig"]}}
    client.update_function_configuration(FunctionName=name, **changes)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, **settings)


@contextmanager
def dropped_metrics(stack: Stack, function: str) -> Iterator[None]:
    """Drop the metrics of a function, from a minute on that has none yet."""
    with changed_function(stack, function, LoggingConfig={"ApplicationLogLevel": "ERROR"}):
        time.sleep(60 - time.time() % 60)
        yield


@contextmanager
def batch_without_archive(stack: Stack, version: str) -> Iterator[None]:
    """Put a batch with a write of the same time as a version. The archive lacks it, and nothing loads it."""
    s3, bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
    key = f"batches/{datetime.datetime.now(datetime.UTC):%Y/%m/%d/%H}/forged.jsonl.gz"
    write = {"version": version[:10] + "0" * 16, "collection": "airports", "id": "FORGED"}
    with disabled_rule(stack, "BatchDelivered"):
        s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(json.dumps(write).encode()))
        try:
            yield
        finally:
            s3.delete_object(Bucket=bucket, Key=key)
