"""The permissions of every function, with IAM enforced by the emulator."""

import pytest

from local.stack import Stack
from ops.verify.access.functions import FUNCTIONS
from ops.verify.access.request import Request
from tests.stack.roles import (
    ONLY_WITH_PROOFS,
    DeployedRoles,
    find_condition,
    list_allowed_actions,
    list_allowed_cases,
    list_forbidden_cases,
    list_functions,
)

pytestmark = pytest.mark.stack("second")

DEPLOYED = {name: row for name, row in FUNCTIONS.items() if row.condition not in ONLY_WITH_PROOFS}


@pytest.fixture(scope="module")
def roles(stack: Stack, names: dict[str, str]) -> DeployedRoles:
    return DeployedRoles(stack, "sluice-local", names)


def test_the_table_has_every_function_of_the_template() -> None:
    assert {name: find_condition(f"{name}FunctionRole") for name in list_functions()} == {
        name: row.condition for name, row in FUNCTIONS.items()
    }


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_the_table_has_every_action_that_a_role_allows(function: str) -> None:
    assert list_allowed_actions(f"{function}FunctionRole") == {
        request.action for request in FUNCTIONS[function].allowed
    }
    assert len(set(FUNCTIONS[function].forbidden)) >= 3


@pytest.mark.parametrize(("function", "iam_request"), list_allowed_cases(DEPLOYED))
def test_a_function_is_allowed(roles: DeployedRoles, function: str, iam_request: Request) -> None:
    assert roles.is_allowed(function, iam_request)


@pytest.mark.parametrize(("function", "iam_request"), list_forbidden_cases(DEPLOYED))
def test_a_function_is_not_allowed(roles: DeployedRoles, function: str, iam_request: Request) -> None:
    assert not roles.is_allowed(function, iam_request)
