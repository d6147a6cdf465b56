"""Gap: MiniStack does not enforce the policies of VPC endpoints.

A function in a VPC reaches AWS only through the endpoints of the VPC. Its calls need a policy of an endpoint that
allows them, besides the policies of its role. The local stack uses an existing database and has neither VPC nor
endpoints. Therefore the emulator enforces what a template would deploy if the conditions of its endpoints were true:
the functions that would then be in the VPC are limited by the policies that the endpoints would then have, with the
ARNs of the deployed resources. Where a policy names a resource that only exists under these conditions, such as the
secret of the stack's own database, the other side of the Fn::If that chooses it takes its place.

A call of a service without an endpoint is denied. On AWS it would time out.
"""

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.iam_evaluator import ParsedStatement, PrincipalInfo
from ministack.services import cloudformation, lambda_svc
from ministack.services.cloudformation import engine

from local.emulator.patching import replace_function

_original = SimpleNamespace()

Template = dict[str, Any]

# The statements that limit a function, by its name; with what they were computed from.
_computed: dict[str, tuple[tuple[Any, ...], list[ParsedStatement] | None]] = {}


def _resolve_principal(access_key_id: str, account_id: str, credential: Any = None) -> Any:
    principal = _original.resolve_principal(access_key_id, account_id, credential)
    if isinstance(principal, PrincipalInfo) and principal.policies is not None:
        statements = _find_limit(principal.arn)
        if statements is not None:
            return dataclasses.replace(principal, limits=[*principal.limits, [statements]])
    return principal


def _find_limit(arn: str) -> list[ParsedStatement] | None:
    """The statements of the endpoints behind which a principal is, or None if it is not a function in a VPC.

    Lambda names the session of a function's role after the function.
    """
    role, _, function = arn.partition(":assumed-role/")[2].partition("/")
    config = lambda_svc._functions.get(function, {}).get("config", {})
    if not function or config.get("Role", "").rpartition("/")[2] != role:
        return None
    for stack in cloudformation._stacks.values():
        for name, resource in stack.get("_resources", {}).items():
            if (
                resource.get("ResourceType") == "AWS::Lambda::Function"
                and resource.get("PhysicalResourceId") == function
            ):
                return _compute_limit(stack, name, function)
    return None


def _compute_limit(stack: dict[str, Any], name: str, function: str) -> list[ParsedStatement] | None:
    # While a stack changes, each resource that it creates can complete a policy.
    state = (stack["StackId"], stack["StackStatus"], stack.get("LastUpdatedTime"), len(stack["_resources"]))
    if (computed := _computed.get(function)) is not None and computed[0] == state:
        return computed[1]
    template, params = _get_template(stack)
    statements = _Network(stack, template, params).list_statements(name)
    _computed[function] = (state, statements)
    return statements


def _get_template(stack: dict[str, Any]) -> tuple[Template, dict[str, Any]]:
    """The template and the parameters that are being deployed, or else were deployed last."""
    for change_set in cloudformation._change_sets.values():
        if change_set.get("StackId") == stack["StackId"] and change_set["ExecutionStatus"] == "EXECUTE_IN_PROGRESS":
            return change_set["_template"], change_set["_resolved_params"]
    return stack["_template"], stack["_resolved_params"]


class _Network:
    """The VPC of a template, if the conditions of its endpoints were true."""

    def __init__(self, stack: dict[str, Any], template: Template, params: dict[str, Any]) -> None:
        self._stack, self._template, self._params = stack, template, params
        self._endpoints = [
            resource
            for resource in template.get("Resources", {}).values()
            if resource["Type"] == "AWS::EC2::VPCEndpoint"
        ]
        assumed = {endpoint["Condition"]: True for endpoint in self._endpoints if "Condition" in endpoint}
        self._deployed_conditions = engine._evaluate_conditions(template, params)
        self._conditions = engine._evaluate_conditions(
            {"Conditions": {**template.get("Conditions", {}), **assumed}}, params
        )
        self._deployed_resources = stack["_resources"]
        self._resources = {**self._deployed_resources, **self._list_substitutes()}

    def list_statements(self, function: str) -> list[ParsedStatement] | None:
        """The statements of all endpoints, or None if the function is not in the VPC or the VPC has no endpoint."""
        properties = self._template.get("Resources", {}).get(function, {}).get("Properties", {})
        if not self._endpoints or "VpcConfig" not in self._resolve(properties):
            return None
        return [statement for endpoint in self._endpoints for statement in self._parse(endpoint["Properties"])]

    def _parse(self, endpoint: dict[str, Any]) -> list[ParsedStatement]:
        """The statements of an endpoint, each restricted to the endpoint's service."""
        service = str(self._resolve(endpoint["ServiceName"])).rpartition(".")[2]
        default = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        statements: list[ParsedStatement] = iam_evaluator.parse_policy_document(
            self._resolve(endpoint.get("PolicyDocument", default))
        )
        for statement in statements:
            if statement.not_actions:
                raise ValueError("The emulator knows no NotAction in the policy of a VPC endpoint.")
            statement.actions = [f"{service}:*" if action == "*" else action for action in statement.actions]
        return statements

    def _list_substitutes(self) -> dict[str, Any]:
        """What stands in for each resource that only exists under the assumed conditions, as a resource."""
        substitutes: dict[str, Any] = {}
        for condition, assumed, deployed in _list_choices(self._template.get("Resources", {})):
            if not self._conditions[condition] or self._deployed_conditions[condition]:
                continue
            match assumed:
                case {"Fn::GetAtt": [str(name), str(attribute)]} if name not in self._deployed_resources:
                    value = self._resolve({"Value": deployed}, as_deployed=True).get("Value")
                    if value:
                        substitutes.setdefault(name, {"Attributes": {}})["Attributes"].setdefault(attribute, value)
        return substitutes

    def _resolve(self, value: Any, *, as_deployed: bool = False) -> Any:
        resolved: Any = engine._resolve_refs(
            value,
            self._deployed_resources if as_deployed else self._resources,
            self._params,
            self._deployed_conditions if as_deployed else self._conditions,
            self._template.get("Mappings", {}),
            self._stack["StackName"],
            self._stack["StackId"],
        )
        return resolved


def _list_choices(node: Any) -> Iterator[tuple[str, Any, Any]]:
    """The condition and both sides of each Fn::If."""
    if isinstance(node, dict):
        match node:
            case {"Fn::If": [str(condition), assumed, deployed]}:
                yield condition, assumed, deployed
        for part in node.values():
            yield from _list_choices(part)
    elif isinstance(node, list):
        for part in node:
            yield from _list_choices(part)


def _access_denied_response(
    service: str, action: str, principal_arn: str, request_id: str, *, message: str = "", **options: Any
) -> Any:
    if not message and not options.get("explicit_deny") and _find_limit(principal_arn) is not None:
        message = (
            f"User: {principal_arn} is not authorized to perform: {action} "
            f"because no identity-based policy or no VPC endpoint policy allows the {action} action"
        )
    return _original.access_denied_response(service, action, principal_arn, request_id, message=message, **options)


def patch() -> None:
    _original.resolve_principal = replace_function(
        iam_evaluator, "resolve_principal", "b6c6131e24bf", _resolve_principal
    )
    _original.access_denied_response = replace_function(
        iam_actions, "access_denied_response", "3cc2e315f91f", _access_denied_response
    )
