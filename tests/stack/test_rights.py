"""The permissions of every function, with IAM enforced by the emulator."""

from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.stack import Stack
from ops.verify.access.functions import FORBIDDEN_TO_ALL, FUNCTIONS
from ops.verify.access.request import Request
from testkit.translate import REPOSITORY, TEMPLATE, read, translate
from tests.stack.attempts import try_request
from tests.template.rules.reading import actions, of_type, statements
from tests.template.rules.rule import Template

pytestmark = pytest.mark.stack("second")

STACK_NAME = "sluice-local"
# The services of AWS's managed policies for every function: logs, traces, and network interfaces in a VPC.
MANAGED_POLICY_SERVICES = {"logs", "xray", "ec2"}
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}  # SNS returns the last one


@cache
def translate_template() -> Template:
    return Template(None, translate(read(TEMPLATE), REPOSITORY))


def list_functions() -> dict[str, dict[str, Any]]:
    return {
        name.removesuffix("Function"): function
        for name, function in of_type(translate_template(), "AWS::Lambda::Function")
    }


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
    # Only a stack that monitors its own database has the role that may be passed; the local one does not.
    allowed_actions.discard("iam:PassRole")
    return {action for action in allowed_actions if action.split(":")[0] not in MANAGED_POLICY_SERVICES}


class Role:
    """The role of a function, assumed as Lambda assumes it."""

    def __init__(self, stack: Stack, session: boto3.Session, function: str, names: dict[str, str]) -> None:
        self._stack, self._session, self._names = stack, session, names
        arn = stack.aws_client("iam").get_role(RoleName=self._find_name(f"{function}FunctionRole"))["Role"]["Arn"]
        # Lambda names the session after the function. By this name, the emulator enforces the policies of the VPC's
        # endpoints too.
        self._credentials = stack.aws_client("sts").assume_role(
            RoleArn=arn, RoleSessionName=self._find_name(f"{function}Function")
        )["Credentials"]
        self._clients: dict[str, Any] = {}

    def _find_name(self, resource: str) -> str:
        described = self._stack.aws_client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=resource
        )
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,  # type: ignore[call-overload]
                region_name="us-east-1",
                aws_access_key_id=self._credentials["AccessKeyId"],
                aws_secret_access_key=self._credentials["SecretAccessKey"],
                aws_session_token=self._credentials["SessionToken"],
                endpoint_url=self._stack.emulator.url,
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
            )
        return self._clients[service]

    def is_allowed(self, request: Request) -> bool:
        """Whether IAM allows a request, whatever the response of the service."""
        resolved = request.resolve(self._names)
        assert resolved, f"the stack has no name of {request}"
        try:
            try_request(self.client, resolved)
        except ClientError as error:
            return error.response["Error"]["Code"] not in DENIED
        return True


@pytest.fixture(scope="module")
def roles(stack: Stack, names: dict[str, str]) -> Any:
    session = boto3.Session()  # one session for all roles, because each session loads the service models again
    return cache(lambda function: Role(stack, session, function, names))


def test_the_table_has_every_function_of_the_template() -> None:
    assert set(list_functions()) == set(FUNCTIONS)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_the_table_has_every_action_that_a_role_allows(function: str) -> None:
    assert list_allowed_actions(f"{function}FunctionRole") == {
        request.action for request in FUNCTIONS[function].allowed
    }
    assert len(set(FUNCTIONS[function].forbidden)) >= 3


@pytest.mark.parametrize(
    ("function", "iam_request"),
    [
        pytest.param(name, request, id=f"{name} can {request}")
        for name, permissions in FUNCTIONS.items()
        for request in permissions.allowed
    ],
)
def test_a_function_is_allowed(roles: Any, function: str, iam_request: Request) -> None:
    assert roles(function).is_allowed(iam_request)


@pytest.mark.parametrize(
    ("function", "iam_request"),
    [
        pytest.param(name, request, id=f"{name} cannot {request}")
        for name, permissions in FUNCTIONS.items()
        for request in (*permissions.forbidden, *FORBIDDEN_TO_ALL)
    ],
)
def test_a_function_is_not_allowed(roles: Any, function: str, iam_request: Request) -> None:
    assert not roles(function).is_allowed(iam_request)
