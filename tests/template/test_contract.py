"""The document against the template: the same routes with the same scopes, and every status of API Gateway."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sluice.handlers import fallback
from sluice.model.resource import CANARY_COLLECTION
from sluice.openapi.responses import COMMON_STATUSES, PROBLEM_RESPONSES
from testkit.translate import Template
from tests.contract.documents import create_test_document, list_operations
from tests.template.rules.api import PUBLIC
from tools.api_definition.resource import AUTHORIZER
from tools.api_definition.routes import ANY_METHOD, INTEGRATION

# What API Gateway responds only to some requests: without a route, or with a body.
SPECIAL_STATUSES = {404, 413, 415, 422}


def list_routes(template: Template) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of each route of the API."""
    for path, methods in template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"].items():
        for method, operation in methods.items():
            yield path, "any" if method == ANY_METHOD else method, operation


def find_scopes(operation: dict[str, Any]) -> set[str]:
    return {scope for option in operation.get("security", ()) for scope in option[AUTHORIZER]}


def find_function(operation: dict[str, Any]) -> str:
    """The logical id of the function of a route."""
    [name] = re.findall(r"\$\{(\w+)\.Arn\}", operation[INTEGRATION]["uri"]["Fn::Sub"])
    return str(name)


def test_every_route_is_described_and_nothing_else_is_but_the_canarys(template: Template) -> None:
    deployed = {
        (path, method)
        for path, method, _ in list_routes(template)
        if method != "any" and CANARY_COLLECTION not in path.split("/")
    }
    assert {(path, method) for path, method, _ in list_operations()} == deployed


def test_an_operation_names_the_scopes_of_its_route(template: Template) -> None:
    required = {(path, method): find_scopes(operation) for path, method, operation in list_routes(template)}
    for path, method, operation in list_operations():
        scopes = {scope for option in operation["security"] for scope in option.get("oauth2", ())}
        assert scopes == required[path, method], (path, method)
    flows = create_test_document()["components"]["securitySchemes"]["oauth2"]["flows"].values()
    assert set().union(*required.values()) == {scope for flow in flows for scope in flow["scopes"]}


def test_the_public_routes_are_the_openapi_document(template: Template) -> None:
    public = {path for path, _, operation in list_routes(template) if not find_scopes(operation)}
    assert public == PUBLIC == {path for path, _, operation in list_operations() if not operation["security"]}


def test_the_functions_of_public_routes_have_reserved_concurrency(template: Template) -> None:
    public = {find_function(operation) for path, _, operation in list_routes(template) if path in PUBLIC}
    functions = [template["Resources"][name]["Properties"] for name in sorted(public)]
    assert [function.get("ReservedConcurrentExecutions") for function in functions] == [5, 5, 5]


def test_every_status_of_the_gateway_is_described(template: Template) -> None:
    answers = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
    statuses = {int(answer["StatusCode"]) for answer in answers.values()}
    assert statuses - SPECIAL_STATUSES <= set(COMMON_STATUSES)
    assert statuses <= PROBLEM_RESPONSES.keys()


def test_other_methods_are_answered_with_those_that_are_described(template: Template) -> None:
    covered = {path for path, method, _ in list_routes(template) if method == "any"}
    for path, methods in create_test_document()["paths"].items():
        assert path in covered
        assert fallback.find_methods(path) == ", ".join(method.upper() for method in methods)


@pytest.mark.parametrize("broken", ["route", "scope"])
def test_a_difference_is_found(template: Template, broken: str) -> None:
    paths = template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    if broken == "route":
        paths["/v1/airports/{id}/extra"] = paths["/v1/airports/{id}"]
        check = test_every_route_is_described_and_nothing_else_is_but_the_canarys
    else:
        paths["/v1/airports/{id}"]["put"]["security"][0][AUTHORIZER].append("sluice/other")
        check = test_an_operation_names_the_scopes_of_its_route
    with pytest.raises(AssertionError):
        check(template)
