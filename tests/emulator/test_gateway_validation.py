"""A body is validated against the model of its content type, and the gateway response names what is missing."""

from typing import Any

import httpx
import pytest

from testkit.emulator_harness import Emulator, build_function, deploy_stack

CODE = """
    def handle(event, context):
        return {"statusCode": 202, "body": event["body"] or ""}
"""
INTEGRATION = {
    "type": "aws_proxy",
    "httpMethod": "POST",
    "uri": {
        "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations",
    },
}
BODY = {
    "swagger": "2.0",
    "info": {"title": "api", "version": "1"},
    "paths": {
        "/items": {
            "post": {
                "consumes": ["application/json"],
                "parameters": [
                    {"name": "item", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Item"}}
                ],
                "x-amazon-apigateway-request-validator": "body",
                "x-amazon-apigateway-integration": INTEGRATION,
                "responses": {},
            }
        }
    },
    "definitions": {"Item": {"type": "object", "required": ["name", "size", "b"]}},
    "x-amazon-apigateway-request-validators": {
        "body": {"validateRequestBody": True, "validateRequestParameters": False}
    },
}


@pytest.fixture(scope="module")
def url(emulator: Emulator) -> str:
    api: dict[str, Any] = {
        "Type": "AWS::Serverless::Api",
        "Properties": {
            "StageName": "live",
            "OpenApiVersion": "2.0",
            "DefinitionBody": BODY,
            "GatewayResponses": {
                "BAD_REQUEST_BODY": {
                    "StatusCode": 422,
                    "ResponseTemplates": {
                        "application/json": '{"detail":"Not an item. $context.error.validationErrorString"}'
                    },
                }
            },
        },
    }
    template = {
        "Resources": {"Api": api, "Fn": build_function(CODE)},
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}},
    }
    outputs = deploy_stack(emulator, "validation", template)
    return f"{emulator.url}/_aws/execute-api/{outputs['Api']}/live/items"


def post(url: str, body: str, content_type: str | None = "application/json") -> httpx.Response:
    headers = {"Content-Type": content_type} if content_type else {}
    return httpx.post(url, content=body, headers=headers, trust_env=False, timeout=30)


VALID = '{"name": null, "size": "large", "b": 1, "more": []}'


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", None])
def test_a_body_of_json_with_every_required_property_passes(url: str, content_type: str | None) -> None:
    response = post(url, VALID, content_type)
    assert (response.status_code, response.text) == (202, VALID)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('{"size": 1}', '[object has missing required properties (["b","name"])]'),
        ("[1]", '[instance type (array) does not match any allowed primitive type (allowed: ["object"])]'),
        ("{", "[the body is not JSON]"),
        ("", "[the body is not JSON]"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", None])
def test_another_body_gets_the_gateway_response_with_its_fault(
    url: str, body: str, fault: str, content_type: str | None
) -> None:
    response = post(url, body, content_type)
    assert (response.status_code, response.json()) == (422, {"detail": f"Not an item. {fault}"})


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "text/plain", "application/vnd.api+json"])
def test_a_body_of_a_content_type_without_a_model_is_not_validated(url: str, content_type: str) -> None:
    assert post(url, "not JSON", content_type).status_code == 202
