"""Each role of the stack may do what it needs, and nothing of what it must not do."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ops.output import format_count
from ops.verify.access import functions, services
from ops.verify.access.names import read_names
from ops.verify.access.request import Request
from ops.verify.access.role import Permissions
from ops.verify.check import UNDO_DRIFT, Check, CheckFailed
from ops.verify.subject import Subject


def run_permissions(subject: Subject) -> str:
    """Ask IAM about every request of the tables, with the deployed policies and the names of the deployed resources.

    IAM does not simulate the policies of VPC endpoints, buckets and keys.
    """
    names, iam = read_names(subject.stack), subject.stack.client("iam")
    roles = _find_roles(subject, names)
    mistakes = []
    count = 0
    for name, (arn, permissions, forbidden_to_all) in roles.items():
        allowed = _resolve(permissions.allowed, names)
        forbidden = _resolve((*permissions.forbidden, *forbidden_to_all), names)
        decisions = _simulate(iam, arn, [*allowed, *forbidden])
        count += len(decisions)
        mistakes += [f"{name} may not call {request}, which it needs" for request in allowed if not decisions[request]]
        mistakes += [f"{name} may call {request}, which it must not" for request in forbidden if decisions[request]]
    if mistakes:
        more = f"; {len(mistakes) - 1} more are wrong" if len(mistakes) > 1 else ""
        raise CheckFailed(f"{mistakes[0]}{more}.", UNDO_DRIFT)
    return f"{format_count(len(roles), 'role')}, {format_count(count, 'decision')} of IAM"


def _find_roles(subject: Subject, names: Mapping[str, str]) -> dict[str, tuple[str, Permissions, Sequence[Request]]]:
    """The ARN of each role that the stack has, by the name of its function or by its logical id, with its tables."""
    client = subject.stack.client("lambda")
    roles: dict[str, tuple[str, Permissions, Sequence[Request]]] = {}
    resources = subject.stack.list_resources("AWS::IAM::Role")
    for name, permissions in functions.FUNCTIONS.items():
        if permissions.condition and f"{name}FunctionRole" not in resources:
            continue
        configuration = client.get_function_configuration(FunctionName=subject.stack.output(f"{name}FunctionName"))
        roles[f"{name}Function"] = (configuration["Role"], permissions, functions.FORBIDDEN_TO_ALL)
    for logical_id, permissions in services.SERVICE_ROLES.items():
        if permissions.condition and logical_id not in resources:
            continue
        arn = f"arn:{names['Partition']}:iam::{names['Account']}:role/{resources[logical_id]}"
        roles[logical_id] = (arn, permissions, services.FORBIDDEN_TO_ALL)
    return roles


def _resolve(requests: Iterable[Request], names: Mapping[str, str]) -> list[Request]:
    return [resolved for request in requests if (resolved := request.resolve(names))]


def _simulate(iam: Any, role: str, requests: Sequence[Request]) -> dict[Request, bool]:
    """Whether IAM allows each request. One call simulates the actions of a service on a resource."""
    decisions = {}
    for _, members in groupby(sorted(set(requests), key=_get_group), key=_get_group):
        group = {request.action: request for request in members}
        first = next(iter(group.values()))
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=role,
            ActionNames=list(group),
            ResourceArns=[first.resource],
            ContextEntries=first.list_context_entries(),
        )
        for page in pages:
            for result in page["EvaluationResults"]:
                decisions[group[result["EvalActionName"]]] = result["EvalDecision"] == "allowed"
    return decisions


def _get_group(request: Request) -> tuple[str, str, str]:
    return request.resource, request.action.partition(":")[0], request.passed_to


CHECKS = [Check("permissions", "each role may do what it needs and nothing that it must not", run_permissions)]
