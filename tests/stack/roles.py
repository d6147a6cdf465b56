"""The roles of the template, and those of a deployed stack: what IAM decides on their requests."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.stack import Stack
from ops.verify.access import functions
from ops.verify.access.request import Request
from ops.verify.access.role import Permissions
from ops.verify.access.services import FORBIDDEN_TO_ALL, SERVICE_ROLES
from testkit.translate import REPOSITORY, TEMPLATE, read, translate
from tests.stack.attempts import try_request
from tests.template.rules.reading import actions, of_type, statements
from tests.template.rules.rule import Template

# The local stack proves no backups: test_proven_backups.py has stacks that do.
ONLY_WITH_PROOFS = {"BackupsProven"}
# The services of AWS's managed policies for every function: logs, traces, and network interfaces in a VPC.
_MANAGED_POLICY_SERVICES = {"logs", "xray", "ec2"}
# No request to AWS is only this action: IAM decides on it within another one. The tests simulate it.
_WITHOUT_OPERATION = {"iam:PassRole"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}  # SNS returns the last one


@cache
def translate_template() -> Template:
    return Template(None, translate(read(TEMPLATE), REPOSITORY))


def list_functions() -> list[str]:
    """The names of the template's functions, without `Function`."""
    return [name.removesuffix("Function") for name, _ in of_type(translate_template(), "AWS::Lambda::Function")]


def list_allowed_cases(rows: Mapping[str, Permissions]) -> list[Any]:
    """A test case for each request that a function of the table may make: the function and the request."""
    return [
        pytest.param(name, request, id=f"{name} can {request}")
        for name, row in rows.items()
        for request in row.allowed
        if request.action not in _WITHOUT_OPERATION
    ]


def list_forbidden_cases(rows: Mapping[str, Permissions]) -> list[Any]:
    """A test case for each request that a function of the table must not make: the function and the request."""
    return [
        pytest.param(name, request, id=f"{name} cannot {request}")
        for name, row in rows.items()
        for request in (*row.forbidden, *functions.FORBIDDEN_TO_ALL)
        if request.action not in _WITHOUT_OPERATION
    ]


def find_condition(role: str) -> str:
    """The condition under which a role exists; empty when it always exists."""
    return str(translate_template().get_resources("AWS::IAM::Role")[role].get("Condition", ""))


def list_allowed_actions(role: str) -> set[str]:
    """The actions that the template allows a role, without those that AWS's managed policies also allow."""
    roles = dict(of_type(translate_template(), "AWS::IAM::Role"))
    documents = [policy["PolicyDocument"] for policy in roles[role].get("Policies", [])]
    documents += [
        policy["PolicyDocument"]
        for _, policy in of_type(translate_template(), "AWS::IAM::Policy")
        if {"Ref": role} in policy["Roles"]
    ]
    allowed_actions = {action for document in documents for action in actions(statements(document))}
    return {action for action in allowed_actions if action.split(":")[0] not in _MANAGED_POLICY_SERVICES}


class DeployedRoles:
    """The roles of a deployed stack, with the names in the tables."""

    def __init__(self, stack: Stack, stack_name: str, names: Mapping[str, str]) -> None:
        self._stack, self._stack_name, self._names = stack, stack_name, names
        self._session = boto3.Session()  # one session for all roles, because each session loads the service models
        self._credentials: dict[str, dict[str, str]] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._find_name = cache(self._describe_name)

    def is_allowed(self, function: str, request: Request) -> bool:
        """Whether IAM allows the role of a function a request, whatever the service responds."""
        try:
            try_request(lambda service: self._get_client(function, service), self._resolve(request))
        except ClientError as error:
            return error.response["Error"]["Code"] not in _DENIED
        return True

    def simulate(self, role: str, request: Request) -> str:
        """IAM's decision on a request of a role by its deployed policies, as `SimulatePrincipalPolicy` has it."""
        resolved = self._resolve(request)
        answer = self._stack.aws_client("iam").simulate_principal_policy(
            PolicySourceArn=self._find_arn(role),
            ActionNames=[resolved.action],
            ResourceArns=[resolved.resource],
            ContextEntries=resolved.list_context_entries(),
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    def check_decisions(self, role: str) -> None:
        """Assert that IAM decides on the role of a service as its table says."""
        row = SERVICE_ROLES[role]
        assert {request: self.simulate(role, request) for request in row.allowed} == dict.fromkeys(
            row.allowed, "allowed"
        )
        refused = (*row.forbidden, *FORBIDDEN_TO_ALL)
        assert {request: self.simulate(role, request) for request in refused} == dict.fromkeys(refused, "implicitDeny")

    def _resolve(self, request: Request) -> Request:
        resolved = request.resolve(self._names)
        assert resolved, f"the stack has no name of {request}"
        return resolved

    def _describe_name(self, resource: str) -> str:
        described = self._stack.aws_client("cloudformation").describe_stack_resource(
            StackName=self._stack_name, LogicalResourceId=resource
        )
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    def _find_arn(self, role: str) -> str:
        return str(self._stack.aws_client("iam").get_role(RoleName=self._find_name(role))["Role"]["Arn"])

    def _get_client(self, function: str, service: str) -> Any:
        if (function, service) not in self._clients:
            credentials = self._assume(function)
            self._clients[function, service] = self._session.client(
                service,  # type: ignore[call-overload]
                region_name="us-east-1",
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
                endpoint_url=self._stack.emulator.url,
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
            )
        return self._clients[function, service]

    def _assume(self, function: str) -> dict[str, str]:
        """Credentials of a function's role, assumed as Lambda assumes it."""
        if function not in self._credentials:
            # Lambda names the session after the function. By this name, the emulator enforces the policies of the VPC's
            # endpoints too.
            self._credentials[function] = self._stack.aws_client("sts").assume_role(
                RoleArn=self._find_arn(f"{function}FunctionRole"),
                RoleSessionName=self._find_name(f"{function}Function"),
            )["Credentials"]
        return self._credentials[function]
