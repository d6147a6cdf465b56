"""The document against the template: the same routes with the same scopes, and every status of API Gateway."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sluice.handlers import fallback
from sluice.model.resource import load_resources
from sluice.openapi.responses import COMMON_STATUSES, PROBLEM_RESPONSES
from tests.contract.documents import create_test_document, list_operations
from tests.template.rules.api import PUBLIC
from tests.template.translate import Template

# What API Gateway responds only to some requests: without a route, or with a body.
SPECIAL_STATUSES = {404, 413, 415}


def list_routes(template: Template) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and properties of each route of a function."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            for event in resource["Properties"].get("Events", {}).values():
                if event["Type"] == "Api":
                    route = event["Properties"]
                    yield route["Path"], route["Method"].lower(), route


def as_route(path: str) -> str:
    """Convert a path of the document to the template's route."""
    return re.sub(rf"^/v1/({'|'.join(load_resources())})(?=/|$)", "/v1/{collection}", path)


def test_every_route_is_described_and_nothing_else_is(template: Template) -> None:
    deployed = {(path, method) for path, method, _ in list_routes(template) if method != "any"}
    described = {(as_route(path), method) for path, method, _ in list_operations()}
    assert described == deployed
    for collection in load_resources():
        own = {
            (as_route(path), method) for path, method, _ in list_operations() if path.startswith(f"/v1/{collection}")
        }
        assert own == {(path, method) for path, method in deployed if "{collection}" in path}


def test_an_operation_names_the_scopes_of_its_route(template: Template) -> None:
    required = {
        (path, method): set(route.get("Auth", {}).get("AuthorizationScopes", ()))
        for path, method, route in list_routes(template)
    }
    for path, method, operation in list_operations():
        scopes = {scope for option in operation["security"] for scope in option.get("oauth2", ())}
        assert scopes == required[as_route(path), method], (path, method)
    flows = create_test_document()["components"]["securitySchemes"]["oauth2"]["flows"].values()
    assert set().union(*required.values()) == {scope for flow in flows for scope in flow["scopes"]}


def test_the_public_routes_are_the_openapi_document(template: Template) -> None:
    public = {path for path, _, route in list_routes(template) if "Auth" not in route}
    assert public == PUBLIC == {path for path, _, operation in list_operations() if not operation["security"]}


def test_the_functions_of_public_routes_have_reserved_concurrency(template: Template) -> None:
    functions = (
        function for function in template["Resources"].values() if function["Type"] == "AWS::Serverless::Function"
    )
    public = [
        function["Properties"]
        for function in functions
        if PUBLIC & {event["Properties"].get("Path") for event in function["Properties"].get("Events", {}).values()}
    ]
    assert [function.get("ReservedConcurrentExecutions") for function in public] == [5, 5]


def test_every_status_of_the_gateway_is_described(template: Template) -> None:
    answers = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
    statuses = {int(answer["StatusCode"]) for answer in answers.values()}
    assert statuses - SPECIAL_STATUSES <= set(COMMON_STATUSES)
    assert statuses <= PROBLEM_RESPONSES.keys()


def test_other_methods_are_answered_with_those_that_are_described(template: Template) -> None:
    covered = {path for path, method, _ in list_routes(template) if method == "any"}
    for path, methods in create_test_document()["paths"].items():
        assert as_route(path) in covered
        assert fallback._METHODS_BY_ROUTE[as_route(path)] == ", ".join(method.upper() for method in methods)


@pytest.mark.parametrize("broken", ["route", "scope"])
def test_a_difference_is_found(template: Template, broken: str) -> None:
    event = template["Resources"]["PutFunction"]["Properties"]["Events"]["Item"]["Properties"]
    if broken == "route":
        event["Path"] = "/v1/{collection}/{id}/extra"
        check = test_every_route_is_described_and_nothing_else_is
    else:
        event["Auth"]["AuthorizationScopes"].append("sluice/other")
        check = test_an_operation_names_the_scopes_of_its_route
    with pytest.raises(AssertionError):
        check(template)
