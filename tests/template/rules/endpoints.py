"""VPC endpoints: a function in the VPC reaches a service only through one, and only as far as its policy allows.

The rules deploy the template with a database of its own, with and without a read cache, because only then the stack has
a VPC.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.template.rules.deployed import REGION, Deployed
from tests.template.rules.reading import Properties, as_list, statements
from tests.template.rules.rule import Rule, RuleMatch, Template

# Where the answer of a custom resource goes. CloudFormation's guide on VPC endpoints writes the Region as it is; the
# example event in Lambda's guide has it without hyphens. A policy must allow both.
_RESPONSE_BUCKETS = tuple(
    f"arn:aws:s3:::cloudformation-custom-resource-response-{region}/*" for region in (REGION, REGION.replace("-", ""))
)


@dataclass(frozen=True)
class Allowed:
    """An action on a resource that a function's role allows."""

    action: str
    resource: str

    @property
    def service(self) -> str:
        return self.action.split(":")[0]


def _matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a pattern of IAM covers a text, or every text of another pattern."""
    # A `?` of the pattern must not match a `*` of the text, which stands for several characters.
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "[^*]")
    return re.fullmatch(regex, text, re.IGNORECASE if ignore_case else 0) is not None


def _covers(statement: Properties, allowed: Allowed) -> bool:
    """Whether a statement names the action and the resource. NotAction and NotResource count as naming nothing."""
    return any(
        _matches(pattern, allowed.action, ignore_case=True) for pattern in as_list(statement.get("Action", []))
    ) and any(_matches(pattern, allowed.resource) for pattern in as_list(statement.get("Resource", [])))


def _permits(endpoint: Properties, allowed: Allowed) -> bool:
    if "PolicyDocument" not in endpoint:
        return True  # the default policy of an endpoint allows everything
    listed = statements(endpoint["PolicyDocument"])
    # A condition may be false, so such a statement allows nothing here.
    permitting = [part for part in listed if part["Effect"] == "Allow" and "Condition" not in part]
    denying = [part for part in listed if part["Effect"] == "Deny"]
    return any(_covers(part, allowed) for part in permitting) and not any(
        _covers(part, allowed) or "NotAction" in part or "NotResource" in part for part in denying
    )


class _Network:
    """The functions in the VPC of a deployed template, and the endpoints that they reach.

    AWS's managed policies do not count: they are for logs, traces and network interfaces, and Lambda itself calls those
    services, from outside the VPC.
    """

    def __init__(self, cfn: Template, **parameters: str) -> None:
        deployed = Deployed(cfn.template, ProvisionDatabase="true", **parameters)
        subnets = set(deployed.of_type("AWS::EC2::Subnet"))
        self.functions = {
            name: function
            for name, function in deployed.of_type("AWS::Lambda::Function").items()
            # The routes of a subnet that is not the template's are unknown.
            if subnets.intersection(function.get("VpcConfig", {}).get("SubnetIds", []))
        }
        self._roles = deployed.of_type("AWS::IAM::Role")
        self._policies = deployed.of_type("AWS::IAM::Policy")
        self._managed = deployed.of_type("AWS::IAM::ManagedPolicy")
        self._endpoints = deployed.of_type("AWS::EC2::VPCEndpoint")
        self._associations = deployed.of_type("AWS::EC2::SubnetRouteTableAssociation")
        self._groups = deployed.of_type("AWS::EC2::SecurityGroup")
        kinds = {resource["Type"] for resource in cfn.template["Resources"].values()}
        self._service_tokens = {
            custom["ServiceToken"]
            for kind in kinds
            if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"
            for custom in deployed.of_type(kind).values()
        }

    def list_allowed(self, name: str) -> Iterator[Allowed]:
        """What a function may do: what the policies of its role allow, and its answer as a custom resource."""
        for statement in self._list_statements(self.functions[name]["Role"].rpartition("/")[2]):
            if statement["Effect"] == "Allow":
                for action in as_list(statement["Action"]):
                    for resource in as_list(statement["Resource"]):
                        yield Allowed(action, resource)
        if any(token.endswith(f":function:{name}") for token in self._service_tokens):
            yield from (Allowed("s3:PutObject", bucket) for bucket in _RESPONSE_BUCKETS)

    def _list_statements(self, role: str) -> Iterator[Properties]:
        properties = self._roles[role]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [policy["PolicyDocument"] for policy in self._policies.values() if role in policy["Roles"]]
        documents += [
            policy["PolicyDocument"]
            for name, policy in self._managed.items()
            if name in properties.get("ManagedPolicyArns", []) or role in policy.get("Roles", [])
        ]
        for document in documents:
            yield from statements(document)

    def list_endpoints(self, name: str, service: str) -> list[tuple[str, Properties]]:
        """The endpoints of a service to which a function has a route."""
        return [
            (endpoint_name, endpoint)
            for endpoint_name, endpoint in self._endpoints.items()
            if endpoint["ServiceName"] == f"com.amazonaws.{REGION}.{service}"
            and self._reaches(self.functions[name]["VpcConfig"], endpoint)
        ]

    def _reaches(self, config: Properties, endpoint: Properties) -> bool:
        if endpoint.get("VpcEndpointType", "Gateway") == "Gateway":
            tables = set(endpoint.get("RouteTableIds", []))
            return all(
                any(
                    association["SubnetId"] == subnet and association["RouteTableId"] in tables
                    for association in self._associations.values()
                )
                for subnet in config["SubnetIds"]
            )
        sources = [
            rule.get("SourceSecurityGroupId")
            for group in endpoint.get("SecurityGroupIds", [])
            for rule in self._groups.get(group, {}).get("SecurityGroupIngress", [])
            if rule["FromPort"] <= 443 <= rule["ToPort"]
        ]
        return endpoint.get("PrivateDnsEnabled") is True and any(
            group in sources for group in config["SecurityGroupIds"]
        )


def _list_networks(cfn: Template) -> list[_Network]:
    return [_Network(cfn, ReadCache=cache) for cache in ("false", "true")]


def _report(faults: Iterator[tuple[str, str]]) -> list[RuleMatch]:
    """Each fault once, however many deployments show it."""
    return [RuleMatch(["Resources", name], fault) for name, fault in dict.fromkeys(faults)]


class EndpointRoutes(Rule):
    """The VPC has no route to the internet: without an endpoint, a call waits until it times out."""

    id = "E9131"
    shortdesc = "A function in the VPC has a route to each service that its role allows"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return _report(
            (name, f"{name} is in the VPC and may call {service}, but reaches no endpoint of it")
            for network in _list_networks(cfn)
            for name in network.functions
            for service in sorted({allowed.service for allowed in network.list_allowed(name)})
            if not network.list_endpoints(name, service)
        )


class EndpointPolicies(Rule):
    """AWS allows a call only if the role and the policy of the endpoint allow it."""

    id = "E9130"
    shortdesc = "The policies of the endpoints allow what the roles of the functions in the VPC allow"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return _report(
            (
                name,
                f"{name} may {allowed.action} on {allowed.resource}, but {endpoint_name} does not allow it",
            )
            for network in _list_networks(cfn)
            for name in network.functions
            for allowed in network.list_allowed(name)
            for endpoint_name, endpoint in network.list_endpoints(name, allowed.service)
            if not _permits(endpoint, allowed)
        )
