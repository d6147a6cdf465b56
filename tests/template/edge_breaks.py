"""Ways to break the edge, the caches, the archive and the alarms of the template, in addition to those of `breaks`."""

from collections.abc import Callable
from typing import Any

from tests.template.breaks import Break, drop, on_replicas, put
from tools.api_definition.resource import create_method_settings


def _operation(resources: dict[str, Any], path: str, method: str) -> Any:
    return resources["Api"]["Properties"]["DefinitionBody"]["paths"][path][method]


def drop_cache_key(parameter: Any, path: str = "/v1/airports") -> Break:
    """Remove a parameter from the cache key of a GET."""
    return lambda resources: _operation(resources, path, "get")["x-amazon-apigateway-integration"][
        "cacheKeyParameters"
    ].remove(parameter)


def cache_method(path: str, method: str = "GET") -> Break:
    """Turn the cache on for a method."""
    settings = create_method_settings(path, method, is_cached=True)
    return lambda resources: resources["Api"]["Properties"]["MethodSettings"].append(settings)


def set_distribution(value: Any, *path: Any) -> Break:
    return put("Distribution", value, "DistributionConfig", *path)


def open_docs_with_an_undefined_scheme(resources: dict[str, Any]) -> None:
    """What SAM writes for a route without the API's default authorizer."""
    _operation(resources, "/v1/docs", "get")["security"] = [{"NONE": []}]


def drop_query_digest(behaviour: int) -> Break:
    """Remove the function from a cache behaviour."""
    return lambda resources: resources["Distribution"]["Properties"]["DistributionConfig"]["CacheBehaviors"][
        behaviour
    ].pop("FunctionAssociations")


def _find_acl_rule(resources: dict[str, Any], name: str, *, remove: bool = False) -> Any:
    """A rule of the edge's web ACL."""
    rules = resources["EdgeAcl"]["Properties"]["Rules"]
    [rule] = [rule for rule in rules if rule["Name"] == name]
    if remove:
        rules.remove(rule)
    return rule


def stop_counting(rule: str, managed_rule: str) -> Break:
    """Remove the override of a rule of a managed group."""

    def broken(resources: dict[str, Any]) -> None:
        overrides = _find_acl_rule(resources, rule)["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
        overrides[:] = [override for override in overrides if override["Name"] != managed_rule]

    return broken


def change_labels(change: Callable[[list[Any]], object]) -> Break:
    """Change the labels by which the web ACL blocks requests for other parts than the body."""
    return lambda resources: change(_find_acl_rule(resources, "Refused")["Statement"]["OrStatement"]["Statements"])


def _label(key: str) -> dict[str, Any]:
    return {"LabelMatchStatement": {"Scope": "LABEL", "Key": f"awswaf:managed:aws:{key}"}}


def _statement(sid: str) -> Any:
    def find_statement(resources: dict[str, Any]) -> Any:
        statements = resources["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        return next(statement for statement in statements if statement["Sid"] == sid)

    return find_statement


def _archive_rules(resources: dict[str, Any]) -> Any:
    return resources["ArchiveBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]


def drop_alarms(*names: str) -> Break:
    """Remove alarms."""

    def broken(resources: dict[str, Any]) -> None:
        for name in names:
            del resources[name]

    return broken


def copy_alarm(resources: dict[str, Any], name: str, outcome: str) -> dict[str, Any]:
    """A copy of an alarm on executions that watches another outcome of them."""
    properties = {**resources[name]["Properties"], "MetricName": f"Executions{outcome}"}
    return {**resources[name], "Properties": properties}


ITEM = "/v1/airports/{id}"
EDGE_BREAKS: list[tuple[str, str, Break]] = [
    ("E9116", "caches GET /v1/bookings, which is no item or list", cache_method("/v1/bookings")),
    ("E9116", "caches GET /v1/bookings/{id}, which is no item or list", cache_method("/v1/bookings/{id}")),
    (
        "E9116",
        "caches GET /v1/airports/{id}/writes/{version}, which is no item or list",
        cache_method("/v1/airports/{id}/writes/{version}"),
    ),
    ("E9116", "caches POST /v1/airports, which is no item or list", cache_method("/v1/airports", "POST")),
    (
        "E9116",
        "/v1/docs: cached without x-api-key",
        put(
            "SharedCachePolicy",
            ["Authorization", "Prefer"],
            "CachePolicyConfig",
            "ParametersInCacheKeyAndForwardedToOrigin",
            "HeadersConfig",
            "Headers",
        ),
    ),
    (
        "E9116",
        "/v1/*: cached without Authorization",
        put(
            "SharedCachePolicy",
            ["Prefer"],
            "CachePolicyConfig",
            "ParametersInCacheKeyAndForwardedToOrigin",
            "HeadersConfig",
            "Headers",
        ),
    ),
    (
        "E9116",
        "/v1/*: cached without the whole query string",
        put(
            "SharedCachePolicy",
            "none",
            "CachePolicyConfig",
            "ParametersInCacheKeyAndForwardedToOrigin",
            "QueryStringsConfig",
            "QueryStringBehavior",
        ),
    ),
    ("E9116", "/v1/*: cached for longer", put("SharedCachePolicy", 60, "CachePolicyConfig", "MinTTL")),
    (
        "E9116",
        "*: cached by a policy that is not in this template",
        set_distribution("658327ea-f89d-4fab-a63d-7e88639e58f6", "DefaultCacheBehavior", "CachePolicyId"),
    ),
    (
        "E9117",
        "without method.request.querystring.elevation.lte",
        drop_cache_key("method.request.querystring.elevation.lte"),
    ),
    ("E9117", "without method.request.querystring.after", drop_cache_key("method.request.querystring.after")),
    ("E9117", "without method.request.header.If-None-Match", drop_cache_key("method.request.header.If-None-Match")),
    ("E9117", "without method.request.header.x-query-digest", drop_cache_key("method.request.header.x-query-digest")),
    ("E9117", "without method.request.header.Accept-Encoding", drop_cache_key("method.request.header.Accept-Encoding")),
    (
        "E9117",
        "without method.request.header.x-api-key",
        drop_cache_key({"Fn::If": ["KeysRequired", "method.request.header.x-api-key", {"Ref": "AWS::NoValue"}]}),
    ),
    *(
        ("E9117", f"caches GET {ITEM} without {parameter}", drop_cache_key(parameter, ITEM))
        for parameter in (
            "method.request.path.id",
            "method.request.querystring.version",
            "method.request.header.Prefer",
            "method.request.header.If-None-Match",
            "method.request.header.x-query-digest",
        )
    ),
    ("E9186", "sends no digest of the query of /v1/*", drop_query_digest(-1)),
    (
        "E9186",
        "sends no digest of the query of *",
        drop("Distribution", "DistributionConfig", "DefaultCacheBehavior", "FunctionAssociations"),
    ),
    ("E9186", "sends no digest of the query of *", put("QueryDigest", "function handler() {}", "FunctionCode")),
    ("E9187", "may invoke PutFunction for None, not PUT", lambda resources: resources.pop("PutFromApi")),
    (
        "E9187",
        "may invoke GetFunction for *, not GET",
        put("GetFromApi", {"Fn::Sub": "arn:aws:execute-api:eu-west-1:1:${Api}/live/*/v1/*"}, "SourceArn"),
    ),
    (
        "E9188",
        "has metrics for GET /~1v1~1airports",
        lambda resources: resources["Api"]["Properties"]["MethodSettings"][1].update(MetricsEnabled=True),
    ),
    (
        "E9118",
        "Distribution caches the error 404",
        lambda resources: resources["Distribution"]["Properties"]["DistributionConfig"]["CustomErrorResponses"].pop(2),
    ),
    (
        "E9118",
        "Distribution caches the error 503",
        set_distribution([{"ErrorCode": 503, "ErrorCachingMinTTL": 10}], "CustomErrorResponses"),
    ),
    ("E9119", "Distribution has no web ACL", drop("Distribution", "DistributionConfig", "WebACLId")),
    (
        "E9119",
        "accepts less than TLS 1.2 from clients",
        set_distribution({"AcmCertificateArn": "arn", "MinimumProtocolVersion": "TLSv1.1_2016"}, "ViewerCertificate"),
    ),
    (
        "E9119",
        "uses less than TLS 1.2 to api",
        set_distribution("match-viewer", "Origins", 0, "CustomOriginConfig", "OriginProtocolPolicy"),
    ),
    ("E9119", "accepts * without TLS", set_distribution("allow-all", "DefaultCacheBehavior", "ViewerProtocolPolicy")),
    (
        "E9119",
        "serves /v1/* without security headers",
        lambda resources: resources["Distribution"]["Properties"]["DistributionConfig"]["CacheBehaviors"][-1].pop(
            "ResponseHeadersPolicyId"
        ),
    ),
    ("E9120", "has no web ACL that blocks by default", lambda resources: resources.pop("ApiAclAssociation")),
    ("E9120", "has no web ACL that blocks by default", put("ApiAcl", {"Allow": {}}, "DefaultAction")),
    (
        "E9120",
        "EdgeAcl has no rule AWSManagedRulesSQLiRuleSet",
        lambda resources: _find_acl_rule(resources, "SqlInjection", remove=True),
    ),
    (
        "E9120",
        "EdgeAcl has no rule for the rate of an IP address",
        lambda resources: resources["EdgeAcl"]["Properties"]["Rules"].pop(1),
    ),
    (
        "E9120",
        "EdgeAcl has no rule for the size of a body",
        lambda resources: resources["EdgeAcl"]["Properties"]["Rules"].pop(3),
    ),
    ("E9121", "EdgeAcl has no log", lambda resources: resources.pop("EdgeAclLogging")),
    (
        "E9121",
        "The log of EdgeAcl does not redact the header authorization",
        lambda resources: resources["EdgeAclLogging"]["Properties"]["RedactedFields"].pop(0),
    ),
    (
        "E9121",
        "The log of ApiAcl does not redact the header x-api-key",
        lambda resources: resources["ApiAclLogging"]["Properties"]["RedactedFields"].pop(2),
    ),
    (
        "E9121",
        "The log of ApiAcl does not redact the header x-origin-verify",
        lambda resources: resources["ApiAclLogging"]["Properties"]["RedactedFields"].pop(),
    ),
    ("E9122", "ArchiveBucket is not versioned", drop("ArchiveBucket", "VersioningConfiguration")),
    (
        "E9122",
        "ArchiveBucket loses its bucket policy when the stack is deleted",
        lambda resources: resources["ArchiveBucketPolicy"].pop("DeletionPolicy"),
    ),
    (
        "E9122",
        "does not deny s3:DeleteObjectVersion to everybody",
        lambda resources: _statement("NoDeletion")(resources)["Action"].remove("s3:DeleteObjectVersion"),
    ),
    (
        "E9122",
        "does not deny s3:DeleteObject to everybody",
        lambda resources: _statement("NoDeletion")(resources).update(
            Condition={"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}
        ),
    ),
    (
        "E9122",
        "does not deny s3:PutLifecycleConfiguration to RejectedWritesFunctionRole",
        lambda resources: _statement("AsItIs")(resources)["Condition"]["ArnEquals"]["aws:PrincipalArn"].remove(
            {"Fn::GetAtt": ["RejectedWritesFunctionRole", "Arn"]}
        ),
    ),
    (
        "E9122",
        "does not deny s3:PutBucketVersioning to StreamRole",
        lambda resources: _statement("AsItIs")(resources)["Action"].remove("s3:PutBucketVersioning"),
    ),
    (
        "E9123",
        "No alarm watches ApproximateNumberOfMessagesVisible of EventDeadLetters",
        put("DeadLettersAlarm", "NumberOfMessagesSent", "MetricName"),
    ),
    ("E9123", "ServerErrorsAlarm has no AlarmActions", drop("ServerErrorsAlarm", "AlarmActions")),
    ("E9123", "WritesBurnAlarm has no AlarmActions", drop("WritesBurnAlarm", "AlarmActions")),
    ("E9123", "ServerErrorsAlarm has no TreatMissingData", drop("ServerErrorsAlarm", "TreatMissingData")),
    ("E9123", "ServerErrorsAlarm has no AlarmDescription", drop("ServerErrorsAlarm", "AlarmDescription")),
    ("E9170", "No alarm watches Errors of PutFunction", lambda resources: resources.pop("PutFunctionErrorsAlarm")),
    ("E9170", "No alarm watches Throttles of LoadFunction", lambda resources: resources.pop("LoadThrottlesAlarm")),
    (
        "E9170",
        "No alarm watches Throttles of PlanFunction",
        lambda resources: resources.pop("PlanFunctionThrottlesAlarm"),
    ),
    ("E9171", "No alarm watches ExecutionsFailed of Recover", lambda resources: resources.pop("RecoverFailedAlarm")),
    ("E9171", "No alarm watches ExecutionsAborted of Replay", lambda resources: resources.pop("ReplayAbortedAlarm")),
    (
        "E9171",
        "An alarm watches ExecutionsTimedOut of LoadBatch, whose definition has no TimeoutSeconds",
        lambda resources: resources.update(LoadsTimedOutAlarm=copy_alarm(resources, "LoadsFailedAlarm", "TimedOut")),
    ),
    ("E9172", "No alarm watches DeliveryToS3.DataFreshness", lambda resources: resources.pop("FreshnessAlarm")),
    ("E9172", "No alarm watches BackupToS3.Success", lambda resources: resources.pop("ArchiveFailedAlarm")),
    ("E9172", "No alarm watches ThrottledRecords", lambda resources: resources.pop("ThrottledRecordsAlarm")),
    (
        "E9172",
        "No alarm watches RecordsPerSecondLimit of WriteStream",
        lambda resources: resources.pop("RecordsQuotaAlarm"),
    ),
    ("E9173", "No alarm watches FreeStorageSpace of Replica", lambda resources: resources.pop("ReplicaStorageAlarm")),
    ("E9173", "No alarm watches CPUUtilization of Primary", lambda resources: resources.pop("PrimaryProcessorAlarm")),
    (
        "E9173",
        "PrimaryCreditsAlarm watches CPUCreditBalance of classes that have no credits",
        lambda resources: resources["PrimaryCreditsAlarm"].update(Condition="OwnDatabase"),
    ),
    ("E9176", "Primary does not always export its error log", drop("Primary", "EnableCloudwatchLogsExports")),
    (
        "E9176",
        "Replica cannot export slow queries",
        on_replicas(lambda name: put(name, ["error"], "EnableCloudwatchLogsExports")),
    ),
    (
        "E9176",
        "Primary exports slow queries that its parameter group does not write to a file",
        drop("DatabaseParameters", "Parameters", "log_output"),
    ),
    ("E9176", "Replica has no MaxAllocatedStorage", on_replicas(lambda name: drop(name, "MaxAllocatedStorage"))),
    ("E9176", "Primary has no MonitoringInterval", drop("Primary", "MonitoringInterval")),
    ("E9176", "Primary has no EnablePerformanceInsights", drop("Primary", "EnablePerformanceInsights")),
    ("E9177", "ArchiveBucket keeps everything", lambda resources: _archive_rules(resources).pop()),
    (
        "E9177",
        "ArchiveBucket moves objects whose new class bills more",
        lambda resources: _archive_rules(resources)[-1]["Fn::If"][1].pop("ObjectSizeGreaterThan"),
    ),
    (
        "E9177",
        "ArchiveBucket moves objects to GLACIER, from which nothing can be read at once",
        lambda resources: _archive_rules(resources)[-1]["Fn::If"][1]["Transitions"][0].update(StorageClass="GLACIER"),
    ),
    ("E9179", "BatchBucket cannot log", drop("BatchBucket", "LoggingConfiguration")),
    ("E9174", "No alarm watches Duration of PostFunction", drop_alarms("WriteLatencyAlarm")),
    ("E9174", "No alarm watches Duration of GetFunction", drop_alarms("ReadLatencyAlarm")),
    ("E9174", "No alarm watches 5XXError of Api", drop_alarms("ServerErrorsAlarm")),
    ("E9175", "No alarm watches WritesRejected", drop_alarms("RejectedWritesAlarm")),
    (
        "E9124",
        "PutFunction contains a secret",
        put(
            "PutFunction",
            {"Fn::Sub": "{{resolve:secretsmanager:${OriginSecret}:SecretString}}"},
            "Environment",
            "Variables",
            "ORIGIN",
        ),
    ),
    (
        "E9180",
        "Distribution may forward cookies for /v1/*",
        put("ViewerRequest", {"CookieBehavior": "all"}, "OriginRequestPolicyConfig", "CookiesConfig"),
    ),
    (
        "E9180",
        "Distribution may forward cookies for *",
        set_distribution("b689b0a8-53d0-40ab-baf2-68738e2966ac", "DefaultCacheBehavior", "OriginRequestPolicyId"),
    ),
    (
        "E9181",
        "The name of ViewerRequest would be the same in another Region",
        put("ViewerRequest", {"Fn::Sub": "${AWS::StackName}-viewer"}, "OriginRequestPolicyConfig", "Name"),
    ),
    (
        "E9181",
        "The name of SecurityHeaders would be the same in another Region",
        put("SecurityHeaders", {"Fn::Sub": "${AWS::StackName}-security"}, "ResponseHeadersPolicyConfig", "Name"),
    ),
    ("E9182", "GET /v1/docs of Api requires the undefined scheme NONE", open_docs_with_an_undefined_scheme),
    (
        "E9121",
        "The log of EdgeAcl has more than the blocked requests",
        lambda resources: resources["EdgeAclLogging"]["Properties"]["LoggingFilter"]["Filters"][0]["Conditions"].append(
            {"ActionCondition": {"Action": "COUNT"}}
        ),
    ),
    ("E9183", "EdgeAcl does not count SQLi_COOKIE", stop_counting("SqlInjection", "SQLi_COOKIE")),
    (
        "E9183",
        "EdgeAcl counts GenericLFI_URIPATH, and no later rule blocks its label",
        change_labels(lambda labels: labels.remove(_label("core-rule-set:GenericLFI_URIPath"))),
    ),
    (
        "E9183",
        "EdgeAcl counts AWSManagedIPReputationList, and no later rule blocks its label",
        lambda resources: _find_acl_rule(resources, "Refused").update(Priority=0),
    ),
    (
        "E9183",
        "EdgeAcl counts CrossSiteScripting_Body, which AWSManagedRulesCommonRuleSet has not",
        lambda resources: _find_acl_rule(resources, "Common")["Statement"]["ManagedRuleGroupStatement"][
            "RuleActionOverrides"
        ].append({"Name": "CrossSiteScripting_Body", "ActionToUse": {"Count": {}}}),
    ),
    (
        "E9183",
        "EdgeAcl blocks by the label awswaf:managed:aws:core-rule-set:SizeRestrictions_Body",
        change_labels(lambda labels: labels.append(_label("core-rule-set:SizeRestrictions_Body"))),
    ),
    (
        "E9184",
        "BodyRefused of EdgeAcl blocks without a problem document of its status",
        lambda resources: _find_acl_rule(resources, "BodyRefused").update(Action={"Block": {}}),
    ),
    (
        "E9184",
        "RateByAddress of EdgeAcl blocks without a problem document of its status",
        lambda resources: _find_acl_rule(resources, "RateByAddress")["Action"]["Block"]["CustomResponse"].update(
            ResponseCode=403
        ),
    ),
    (
        "E9185",
        "EdgeAcl takes 1,5",
        change_labels(lambda labels: labels.extend([_label("core-rule-set:BadBots_Header")] * 400)),
    ),
]
