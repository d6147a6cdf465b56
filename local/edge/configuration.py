"""The configuration that the edge enforces, read from the APIs of the deployed services."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.edge.api_stage import Stage
from local.edge.cloudfront.distribution import Distribution, parse_distribution
from local.edge.config_checks import UnsupportedConfiguration, list_items
from local.edge.http_messages import Response
from local.edge.waf.statements import RateCounter
from local.edge.waf.web_acl import WebAcl

ClientFactory = Callable[[str], Any]
"""Returns the boto3 client of a service, by boto3's name for it."""


@dataclass(frozen=True)
class DeployedConfiguration:
    """What the APIs returned; `policies` by id, the text of `functions` by ARN."""

    api_id: str
    stage_name: str
    distribution_id: str
    distribution: dict[str, Any]
    policies: dict[str, dict[str, Any]]
    functions: dict[str, str]
    edge_acl: dict[str, Any] | None
    stage_acl: dict[str, Any] | None
    waf_filtered_response: dict[str, Any]


@dataclass(frozen=True)
class EdgeConfiguration:
    """The parsed configuration. `edge_acl` is the web ACL of the distribution."""

    distribution_id: str
    distribution: Distribution
    edge_acl: WebAcl | None
    stage: Stage


_REQUIRED_OUTPUTS = ("DistributionId", "ApiId", "StageName")
_POLICY_CALLS = {
    "CachePolicyId": ("get_cache_policy_config", "CachePolicyConfig"),
    "OriginRequestPolicyId": ("get_origin_request_policy_config", "OriginRequestPolicyConfig"),
    "ResponseHeadersPolicyId": ("get_response_headers_policy_config", "ResponseHeadersPolicyConfig"),
}


def read_deployed_configuration(clients: ClientFactory, stack_name: str, region: str) -> DeployedConfiguration:
    """Raises UnsupportedConfiguration if the stack lacks a required output, ClientError if an API call fails."""
    stack = clients("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = [name for name in _REQUIRED_OUTPUTS if not outputs.get(name)]
    if missing:
        raise UnsupportedConfiguration(f"the stack {stack_name} has no output {', '.join(missing)}")
    api_id, stage_name = outputs["ApiId"], outputs["StageName"]
    cloudfront = clients("cloudfront")
    distribution = cloudfront.get_distribution_config(Id=outputs["DistributionId"])["DistributionConfig"]
    stage_arn = f"arn:aws:apigateway:{region}::/restapis/{api_id}/stages/{stage_name}"
    return DeployedConfiguration(
        api_id,
        stage_name,
        outputs["DistributionId"],
        distribution,
        _read_policies(cloudfront, distribution),
        _read_functions(cloudfront, distribution),
        _read_edge_acl(clients("wafv2"), distribution.get("WebACLId") or ""),
        clients("wafv2").get_web_acl_for_resource(ResourceArn=stage_arn).get("WebACL"),
        _read_waf_filtered_response(clients("apigateway"), api_id),
    )


def _read_policies(cloudfront: Any, distribution: dict[str, Any]) -> dict[str, dict[str, Any]]:
    policies: dict[str, dict[str, Any]] = {}
    for behaviour in _list_behaviours(distribution):
        if not behaviour.get("CachePolicyId"):
            raise UnsupportedConfiguration("the local edge does not enforce a cache behaviour without a cache policy")
        for name, (call, member) in _POLICY_CALLS.items():
            identifier = behaviour.get(name)
            if identifier and identifier not in policies:
                policies[identifier] = getattr(cloudfront, call)(Id=identifier)[member]
    return policies


def _read_functions(cloudfront: Any, distribution: dict[str, Any]) -> dict[str, str]:
    functions: dict[str, str] = {}
    for behaviour in _list_behaviours(distribution):
        for association in list_items(behaviour.get("FunctionAssociations")):
            arn = association["FunctionARN"]
            if arn not in functions:
                answer = cloudfront.get_function(Name=arn.rpartition("/")[2], Stage="LIVE")
                functions[arn] = answer["FunctionCode"].read().decode()
    return functions


def _list_behaviours(distribution: dict[str, Any]) -> list[dict[str, Any]]:
    return [distribution["DefaultCacheBehavior"], *list_items(distribution.get("CacheBehaviors"))]


def _read_edge_acl(waf: Any, arn: str) -> dict[str, Any] | None:
    if not arn:
        return None
    _, _, name, identifier = arn.rpartition(":")[2].split("/")
    acl: dict[str, Any] = waf.get_web_acl(Name=name, Id=identifier, Scope="CLOUDFRONT")["WebACL"]
    return acl


def _read_waf_filtered_response(gateway: Any, api_id: str) -> dict[str, Any]:
    """The gateway response to a request that the web ACL of the stage blocks; empty if the API defines none."""
    try:
        response: dict[str, Any] = gateway.get_gateway_response(restApiId=api_id, responseType="WAF_FILTERED")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return {}
    del response["ResponseMetadata"]
    return response


def build_edge_configuration(deployed: DeployedConfiguration, rates: RateCounter) -> EdgeConfiguration:
    """Raises UnsupportedConfiguration for each part that the edge cannot enforce."""
    distribution = parse_distribution(deployed.distribution, deployed.policies, deployed.functions)
    foreign = {each.origin.domain for each in distribution.behaviours if each.origin.api_id != deployed.api_id}
    if foreign:
        raise UnsupportedConfiguration(f"the origin {', '.join(foreign)} is not the API of the stack")
    stage_acl = WebAcl(deployed.stage_acl, rates) if deployed.stage_acl else None
    blocked_response = _build_blocked_response(deployed.waf_filtered_response)
    return EdgeConfiguration(
        deployed.distribution_id,
        distribution,
        WebAcl(deployed.edge_acl, rates) if deployed.edge_acl else None,
        Stage(deployed.api_id, deployed.stage_name, stage_acl, blocked_response),
    )


def _build_blocked_response(config: dict[str, Any]) -> Response:
    body = (config.get("responseTemplates") or {}).get("application/json") or '{"message":"Forbidden"}'
    response = Response(
        int(config.get("statusCode") or 403),
        [("content-type", "application/json"), ("x-amzn-errortype", "ForbiddenException")],
        body.encode(),
    )
    for name, value in (config.get("responseParameters") or {}).items():
        header_name = name.removeprefix("gatewayresponse.header.").lower()
        response = response.with_headers((header_name, str(value).strip("'")))
    return response
