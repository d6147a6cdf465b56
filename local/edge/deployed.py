"""What of a deployed stack the edge enforces, read where AWS would enforce it: from the services' own APIs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.edge.refusal import NotUnderstood, items

Clients = Callable[[str], Any]
"""Gives a boto3 client of a service, by boto3's name for it."""


@dataclass(frozen=True)
class Deployed:
    """As the APIs give it; `policies` by id."""

    api: str
    stage: str
    distribution: dict[str, Any]
    policies: dict[str, dict[str, Any]]
    edge_acl: dict[str, Any] | None
    stage_acl: dict[str, Any] | None
    refused: dict[str, Any]


_OUTPUTS = ("DistributionId", "ApiId", "StageName")
_POLICIES = {
    "CachePolicyId": ("get_cache_policy_config", "CachePolicyConfig"),
    "OriginRequestPolicyId": ("get_origin_request_policy_config", "OriginRequestPolicyConfig"),
    "ResponseHeadersPolicyId": ("get_response_headers_policy_config", "ResponseHeadersPolicyConfig"),
}


def read(clients: Clients, stack: str, region: str) -> Deployed:
    """Raises NotUnderstood when the stack has not what an edge stands before, ClientError when nobody can be asked."""
    described = clients("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    missing = [name for name in _OUTPUTS if not outputs.get(name)]
    if missing:
        raise NotUnderstood(f"the stack {stack} has no output {', '.join(missing)}")
    api, stage = outputs["ApiId"], outputs["StageName"]
    cloudfront = clients("cloudfront")
    distribution = cloudfront.get_distribution_config(Id=outputs["DistributionId"])["DistributionConfig"]
    resource = f"arn:aws:apigateway:{region}::/restapis/{api}/stages/{stage}"
    return Deployed(
        api,
        stage,
        distribution,
        _policies(cloudfront, distribution),
        _edge_acl(clients("wafv2"), distribution.get("WebACLId") or ""),
        clients("wafv2").get_web_acl_for_resource(ResourceArn=resource).get("WebACL"),
        _refused(clients("apigateway"), api),
    )


def _policies(cloudfront: Any, distribution: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for behaviour in [distribution["DefaultCacheBehavior"], *items(distribution.get("CacheBehaviors"))]:
        if not behaviour.get("CachePolicyId"):
            raise NotUnderstood("a behaviour without a cache policy is not enforced by the local edge")
        for name, (call, member) in _POLICIES.items():
            identifier = behaviour.get(name)
            if identifier and identifier not in found:
                found[identifier] = getattr(cloudfront, call)(Id=identifier)[member]
    return found


def _edge_acl(waf: Any, arn: str) -> dict[str, Any] | None:
    if not arn:
        return None
    _, _, name, identifier = arn.rpartition(":")[2].split("/")
    acl: dict[str, Any] = waf.get_web_acl(Name=name, Id=identifier, Scope="CLOUDFRONT")["WebACL"]
    return acl


def _refused(gateway: Any, api: str) -> dict[str, Any]:
    """The API's gateway response to what its firewall blocks."""
    try:
        found: dict[str, Any] = gateway.get_gateway_response(restApiId=api, responseType="WAF_FILTERED")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return {}
    del found["ResponseMetadata"]
    return found
