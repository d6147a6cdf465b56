"""Every function on the emulator with IAM enforced: what it may do and what it may not."""

from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.stack import Stack
from tests.stack.permissions import FORBIDDEN_TO_ALL, PERMISSIONS, Attempt
from tests.template.rules.reading import actions, of_type, statements
from tests.template.rules.rule import Template
from tests.template.translate import REPOSITORY, TEMPLATE, read, translate

pytestmark = pytest.mark.stack("second")

STACK_NAME = "sluice-local"
# What the stack did not make.
EXTERNAL_SECRETS = {"AdminSecretArn": "sluice-local/database-admin", "CacheSecretArn": "sluice-local/cache-user"}
# What AWS's managed policies give every function: to log, to trace, to be in a VPC.
MANAGED_POLICY_SERVICES = {"logs", "xray", "ec2"}
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}  # the last is how SNS says it


@cache
def translate_template() -> Template:
    return Template(None, translate(read(TEMPLATE), REPOSITORY))


def list_functions() -> dict[str, dict[str, Any]]:
    return {
        name.removesuffix("Function"): found for name, found in of_type(translate_template(), "AWS::Lambda::Function")
    }


def list_allowed_actions(role: str) -> set[str]:
    """The actions that the template allows a role, but what AWS's managed policies give too."""
    roles = dict(of_type(translate_template(), "AWS::IAM::Role"))
    documents = [policy["PolicyDocument"] for policy in roles[role].get("Policies", [])]
    documents += [
        policy["PolicyDocument"]
        for _, policy in of_type(translate_template(), "AWS::IAM::Policy")
        if {"Ref": role} in policy["Roles"]
    ]
    found = {action for document in documents for action in actions(statements(document))}
    return {action for action in found if action.split(":")[0] not in MANAGED_POLICY_SERVICES}


class Role:
    """A function's role, taken on as Lambda takes it on."""

    def __init__(self, stack: Stack, session: boto3.Session, function: str) -> None:
        self._stack, self._session = stack, session
        found = stack.aws_client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=f"{function}FunctionRole"
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        arn = stack.aws_client("iam").get_role(RoleName=name)["Role"]["Arn"]
        self._given = stack.aws_client("sts").assume_role(RoleArn=arn, RoleSessionName="trying")["Credentials"]
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,  # type: ignore[call-overload]
                region_name="us-east-1",
                aws_access_key_id=self._given["AccessKeyId"],
                aws_secret_access_key=self._given["SecretAccessKey"],
                aws_session_token=self._given["SessionToken"],
                endpoint_url=self._stack.emulator.url,
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
            )
        return self._clients[service]

    def read_output(self, output: str) -> str:
        return EXTERNAL_SECRETS.get(output) or self._stack.outputs[output]

    def is_allowed(self, tried: Attempt) -> bool:
        """Whether IAM lets a try through, whatever the service thinks of it then."""
        try:
            tried.call(self)
        except ClientError as error:
            return error.response["Error"]["Code"] not in DENIED
        return True


@pytest.fixture(scope="module")
def roles(stack: Stack) -> Any:
    session = boto3.Session()  # one for all roles: each reads the descriptions of the services anew
    return cache(lambda function: Role(stack, session, function))


def test_every_function_of_the_template_stands_in_the_table() -> None:
    assert set(list_functions()) == set(PERMISSIONS)


@pytest.mark.parametrize("function", sorted(PERMISSIONS))
def test_the_table_tries_every_action_that_a_role_allows(function: str) -> None:
    assert list_allowed_actions(f"{function}FunctionRole") == {tried.action for tried in PERMISSIONS[function].allowed}
    assert len(set(PERMISSIONS[function].forbidden)) >= 3


@pytest.mark.parametrize(
    ("function", "tried"),
    [
        pytest.param(name, one, id=f"{name} may {one.description}")
        for name, found in PERMISSIONS.items()
        for one in found.allowed
    ],
)
def test_a_function_may(roles: Any, function: str, tried: Attempt) -> None:
    assert roles(function).is_let(tried)


@pytest.mark.parametrize(
    ("function", "tried"),
    [
        pytest.param(name, one, id=f"{name} may not {one.description}")
        for name, found in PERMISSIONS.items()
        for one in (*found.forbidden, *FORBIDDEN_TO_ALL)
    ],
)
def test_a_function_may_not(roles: Any, function: str, tried: Attempt) -> None:
    assert not roles(function).is_let(tried)
