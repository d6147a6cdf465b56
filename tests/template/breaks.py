"""Ways to break the template: the rule that should see each, words of its message, and the break itself."""

import re
from collections.abc import Callable
from typing import Any

Break = Callable[[dict[str, Any]], object]


def drop(resource: str, *path: str) -> Break:
    """Remove a property of a resource, or a part of one."""

    def broken(resources: dict[str, Any]) -> None:
        place = resources[resource]["Properties"]
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return broken


def put(resource: str, value: Any, *path: Any) -> Break:
    """Give a property of a resource, or a part of one, that value."""

    def broken(resources: dict[str, Any]) -> None:
        place: Any = resources[resource]["Properties"]
        for part in path[:-1]:
            place = place[part] if isinstance(place, list) else place.setdefault(part, {})
        place[path[-1]] = value

    return broken


def on_replicas(change: Callable[[str], Break]) -> Break:
    """Make the same change to every replica, since they must stay alike."""

    def broken(resources: dict[str, Any]) -> None:
        for name in [name for name in resources if re.fullmatch(r"Replica\d?", name)]:
            change(name)(resources)

    return broken


def _policy(function: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda resources: resources[function]["Properties"]["Policies"][0]["Statement"][0]


BREAKS: list[tuple[str, str, Break]] = [
    ("E9101", "LoadFunction reaches", drop("LoadFunction", "ReservedConcurrentExecutions")),
    ("E9101", "GetFunction reaches", drop("GetFunction", "ReservedConcurrentExecutions")),
    (
        "E9102",
        "PutFunction accepts writes, but is in a VPC",
        put("PutFunction", {"SubnetIds": ["subnet-0a"]}, "VpcConfig"),
    ),
    (
        "E9102",
        "PostFunction accepts writes, but has settings of the database (DATABASE_NAME)",
        put("PostFunction", "sluice", "Environment", "Variables", "DATABASE_NAME"),
    ),
    (
        "E9102",
        "has more permissions than to put records on the stream (secretsmanager:GetSecretValue)",
        lambda resources: _policy("PutFunction")(resources)["Action"].append("secretsmanager:GetSecretValue"),
    ),
    (
        "E9102",
        "lacks the permission firehose:PutRecordBatch",
        lambda resources: _policy("DeleteFunction")(resources)["Action"].remove("firehose:PutRecordBatch"),
    ),
    (
        "E9102",
        "more than one stream",
        lambda resources: _policy("PutFunction")(resources).update(Resource="arn:aws:firehose:*:*:deliverystream/*"),
    ),
    ("E9103", "TransformFunction has no LoggingConfig", drop("TransformFunction", "LoggingConfig")),
    ("E9104", "GetFunctionLog has no RetentionInDays", drop("GetFunctionLog", "RetentionInDays")),
    ("E9106", "LoadBatch logs execution data", put("LoadBatch", True, "Logging", "IncludeExecutionData")),
    ("E9106", "LoadBatch does not log ALL", put("LoadBatch", "ERROR", "Logging", "Level")),
    ("E9106", "LoadBatch is not traced", drop("LoadBatch", "Tracing")),
    ("E9107", "BatchBucket has no policy", lambda resources: resources.pop("BatchBucketPolicy")),
    (
        "E9107",
        "EventDeadLetters has no policy",
        lambda resources: resources["EventDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(),
    ),
    (
        "E9107",
        "Alerts has no policy",
        lambda resources: resources["AlertsPolicy"]["Properties"]["PolicyDocument"]["Statement"].pop(),
    ),
    ("E9108", "Cache is not encrypted", drop("Cache", "AtRestEncryptionEnabled")),
    ("E9108", "Cache is not encrypted", put("Cache", False, "TransitEncryptionEnabled")),
    ("E9108", "BatchBucket is not encrypted", drop("BatchBucket", "BucketEncryption")),
    ("E9108", "EventDeadLetters is not encrypted", drop("EventDeadLetters", "SqsManagedSseEnabled")),
    ("E9108", "Alerts is not encrypted", drop("Alerts", "KmsMasterKeyId")),
    ("E9108", "WriteStream is not encrypted", drop("WriteStream", "DeliveryStreamEncryptionConfigurationInput")),
    ("E9108", "Primary is not encrypted", drop("Primary", "StorageEncrypted")),
    (
        "E9108",
        "ArchiveBucket does not block public access (BlockPublicPolicy)",
        put("ArchiveBucket", False, "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
    ),
    ("E9109", "ArchiveBucket has data", lambda resources: resources["ArchiveBucket"].pop("DeletionPolicy")),
    ("E9109", "its UpdateReplacePolicy is", lambda resources: resources["UserPool"].pop("UpdateReplacePolicy")),
    ("E9109", "Primary has data", lambda resources: resources["Primary"].update(DeletionPolicy="Delete")),
    ("E9110", "DatabaseFromFunctions allows ingress", put("DatabaseFromFunctions", "0.0.0.0/0", "CidrIp")),
    (
        "E9110",
        "EndpointGroup allows ingress",
        lambda resources: resources["EndpointGroup"]["Properties"]["SecurityGroupIngress"][0].update(CidrIpv6="::/0"),
    ),
    ("E9110", "Replica has a public address", on_replicas(lambda name: put(name, True, "PubliclyAccessible"))),
    (
        "E9111",
        "GET /v1/airports of Api requires no scope",
        drop("Api", "DefinitionBody", "paths", "/v1/airports", "get", "security"),
    ),
    (
        "E9111",
        "GET /v1/airports/{id} of Api requires no scope",
        drop("Api", "DefinitionBody", "paths", "/v1/airports/{id}", "get", "security"),
    ),
    (
        "E9111",
        "PUT /v1/airports/{id} of Api accepts the scope sluice/read",
        put("Api", [{"Callers": ["sluice/read"]}], "DefinitionBody", "paths", "/v1/airports/{id}", "put", "security"),
    ),
    (
        "E9125",
        "has no ThrottlingRateLimit for * /*",
        lambda resources: resources["Api"]["Properties"]["MethodSettings"][0].pop("ThrottlingRateLimit"),
    ),
    (
        "E9125",
        "has no ThrottlingBurstLimit for GET /~1v1~1airports",
        lambda resources: resources["Api"]["Properties"]["MethodSettings"][1].pop("ThrottlingBurstLimit"),
    ),
    ("E9112", "Api has no gateway response UNAUTHORIZED", drop("Api", "GatewayResponses", "UNAUTHORIZED")),
    (
        "E9112",
        "THROTTLED of Api has the status 429 in its body and 503 as HTTP status",
        put("Api", 503, "GatewayResponses", "THROTTLED", "StatusCode"),
    ),
    (
        "E9112",
        "THROTTLED of Api has no Retry-After",
        drop("Api", "GatewayResponses", "THROTTLED", "ResponseParameters", "Headers", "Retry-After"),
    ),
    (
        "E9112",
        "UNAUTHORIZED of Api has no WWW-Authenticate",
        drop("Api", "GatewayResponses", "UNAUTHORIZED", "ResponseParameters", "Headers", "WWW-Authenticate"),
    ),
    (
        "E9112",
        "WAF_FILTERED of Api is not application/problem+json",
        drop("Api", "GatewayResponses", "WAF_FILTERED", "ResponseParameters", "Headers", "Content-Type"),
    ),
    (
        "E9112",
        "DEFAULT_5XX of Api lacks a member",
        put(
            "Api",
            '{"title":"Oops","status":500}',
            "GatewayResponses",
            "DEFAULT_5XX",
            "ResponseTemplates",
            "application/json",
        ),
    ),
    (
        "E9113",
        "The target LoadBatch of BatchDelivered has no dead-letter queue",
        lambda resources: resources["BatchDelivered"]["Properties"]["Targets"][0].pop("DeadLetterConfig"),
    ),
    (
        "E9160",
        "LoadFunction loses lines and metrics below {'Ref': 'LogLevel'}",
        put("LoadFunction", {"Ref": "LogLevel"}, "LoggingConfig", "ApplicationLogLevel"),
    ),
    (
        "E9161",
        "Lines needs log lines",
        lambda resources: resources.update(
            Lines={
                "Type": "AWS::Logs::MetricFilter",
                "Properties": {
                    "LogGroupName": {"Ref": "TransformFunctionLog"},
                    "FilterPattern": "{ $.failed > 0 }",
                    "MetricTransformations": [
                        {"MetricNamespace": "Lines", "MetricName": "Failed", "MetricValue": "$.failed"}
                    ],
                },
            }
        ),
    ),
    ("E9162", "RecordsFailedAlarm does not name service and stack", drop("RecordsFailedAlarm", "Dimensions")),
    (
        "E9162",
        "RecordsFailedAlarm does not name service and stack",
        put("RecordsFailedAlarm", "another", "Dimensions", 1, "Value"),
    ),
    (
        "E9162",
        "GetFunction has no STACK_NAME",
        put("GetFunction", "another", "Environment", "Variables", "STACK_NAME"),
    ),
    (
        "E9140",
        "StreamRole stays when its creation is rolled back",
        lambda resources: resources["StreamRole"].update(DeletionPolicy="Retain"),
    ),
    ("E9141", "UserPool does not take its protection", put("UserPool", "ACTIVE", "DeletionProtection")),
    ("E9141", "Primary does not take its protection", put("Primary", True, "DeletionProtection")),
    (
        "E9142",
        "Primary does not depend on QuarantineFunction",
        lambda resources: resources["Primary"]["DependsOn"].remove("QuarantineFunction"),
    ),
    (
        "E9143",
        "RecoverySchedule can start work before Distribution",
        lambda resources: resources["RecoverySchedule"].pop("DependsOn"),
    ),
    (
        "E9143",
        "DatabaseBack can start work before Distribution",
        lambda resources: resources["DatabaseBack"].pop("DependsOn"),
    ),
    (
        "E9144",
        "MigrateFunction may create its log group again",
        lambda resources: resources["MigrateFunction"]["Properties"]["Policies"].pop(),
    ),
    (
        "E9163",
        "lacks $context.requestId",
        put("Api", '{"id":"$context.extendedRequestId"}', "AccessLogSetting", "Format"),
    ),
    ("E9163", "lacks $context.extendedRequestId", drop("Api", "AccessLogSetting")),
]
