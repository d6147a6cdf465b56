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


"""Gives a boto3 client of a service, by boto3's name for it."""


@dataclass(frozen=True)
class DeployedConfiguration:
    """As the APIs give it; `policies` by id."""

    api_id: str
    stage_name: str
    distribution: dict[str, Any]
    policies: dict[str, dict[str, Any]]
    edge_acl: dict[str, Any] | None
    stage_acl: dict[str, Any] | None
    waf_filtered_response: dict[str, Any]


_OUTPUTS = ("DistributionId", "ApiId", "StageName")


_POLICIES = {
    "CachePolicyId": ("get_cache_policy_config", "CachePolicyConfig"),
    "OriginRequestPolicyId": ("get_origin_request_policy_config", "OriginRequestPolicyConfig"),
    "ResponseHeadersPolicyId": ("get_response_headers_policy_config", "ResponseHeadersPolicyConfig"),
}


def read_deployed_configuration(clients: ClientFactory, stack: str, region: str) -> DeployedConfiguration:
    """Raises NotUnderstood when the stack has not what an edge stands before, ClientError when nobody can be asked."""
    described = clients("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    missing = [name for name in _OUTPUTS if not outputs.get(name)]
    if missing:
        raise UnsupportedConfiguration(f"the stack {stack} has no output {', '.join(missing)}")
    api, stage = outputs["ApiId"], outputs["StageName"]
    cloudfront = clients("cloudfront")
    distribution = cloudfront.get_distribution_config(Id=outputs["DistributionId"])["DistributionConfig"]
    resource = f"arn:aws:apigateway:{region}::/restapis/{api}/stages/{stage}"
    return DeployedConfiguration(
        api,
        stage,
        distribution,
        _read_policies(cloudfront, distribution),
        _read_edge_acl(clients("wafv2"), distribution.get("WebACLId") or ""),
        clients("wafv2").get_web_acl_for_resource(ResourceArn=resource).get("WebACL"),
        _read_waf_filtered_response(clients("apigateway"), api),
    )


def _read_policies(cloudfront: Any, distribution: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for behaviour in [distribution["DefaultCacheBehavior"], *list_items(distribution.get("CacheBehaviors"))]:
        if not behaviour.get("CachePolicyId"):
            raise UnsupportedConfiguration("a behaviour without a cache policy is not enforced by the local edge")
        for name, (call, member) in _POLICIES.items():
            identifier = behaviour.get(name)
            if identifier and identifier not in found:
                found[identifier] = getattr(cloudfront, call)(Id=identifier)[member]
    return found


def _read_edge_acl(waf: Any, arn: str) -> dict[str, Any] | None:
    if not arn:
        return None
    _, _, name, identifier = arn.rpartition(":")[2].split("/")
    acl: dict[str, Any] = waf.get_web_acl(Name=name, Id=identifier, Scope="CLOUDFRONT")["WebACL"]
    return acl


def _read_waf_filtered_response(gateway: Any, api: str) -> dict[str, Any]:
    """The API's gateway response to what its firewall blocks."""
    try:
        found: dict[str, Any] = gateway.get_gateway_response(restApiId=api, responseType="WAF_FILTERED")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return {}
    del found["ResponseMetadata"]
    return found


@dataclass(frozen=True)
class EdgeConfiguration:
    distribution: Distribution
    edge_acl: WebAcl | None
    stage: Stage


def build_edge_configuration(found: DeployedConfiguration, rates: RateCounter) -> EdgeConfiguration:
    """Raises NotUnderstood for whatever of it could not be enforced."""
    made = parse_distribution(found.distribution, found.policies)
    astray = {behaviour.origin.domain for behaviour in made.behaviours if behaviour.origin.api_id != found.api_id}
    if astray:
        raise UnsupportedConfiguration(f"the origin {', '.join(astray)} is not the stack's API")
    return EdgeConfiguration(
        made,
        WebAcl(found.edge_acl, rates) if found.edge_acl else None,
        Stage(
            found.api_id,
            found.stage_name,
            WebAcl(found.stage_acl, rates) if found.stage_acl else None,
            _build_blocked_response(found.waf_filtered_response),
        ),
    )


def _build_blocked_response(given: dict[str, Any]) -> Response:
    body = (given.get("responseTemplates") or {}).get("application/json") or '{"message":"Forbidden"}'
    headers = [("content-type", "application/json"), ("x-amzn-errortype", "ForbiddenException")]
    for name, value in (given.get("responseParameters") or {}).items():
        headers = [
            pair for pair in headers if pair[0] != (named := name.removeprefix("gatewayresponse.header.").lower())
        ]
        headers.append((named, str(value).strip("'")))
    return Response(int(given.get("statusCode") or 403), headers, body.encode())
