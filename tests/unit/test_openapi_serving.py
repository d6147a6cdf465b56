"""The OpenAPI document and its page, as the function serves them."""

import base64
import hashlib
import importlib
import json
import re
from functools import partial
from typing import Any

import pytest

from sluice.http.api_gateway import LambdaHandler, create_api_handler
from sluice.model.resource import create_resource, load_resources
from sluice.openapi.serving import OpenApiResponder, create_content_security_policy
from sluice.settings import OpenApiSettings
from tests.unit.classes import create_item_class
from tests.unit.loopback import Loopback
from tests.unit.requesting import Context

PATHS = ("/v1/openapi.json", "/v1/docs")


@pytest.fixture
def ask(aws: Loopback) -> Any:
    """Invoke the function as API Gateway does, without a token."""
    return partial(invoke, importlib.import_module("sluice.handlers.openapi").handle)


def invoke(handle: LambdaHandler, path: str, **headers: str) -> Any:
    event = {"resource": path, "path": path, "httpMethod": "GET", "headers": headers, "requestContext": {}}
    return handle(event, Context())


@pytest.mark.parametrize("path", PATHS)
def test_both_need_no_token_and_caches_may_store_them(ask: Any, path: str) -> None:
    answer = ask(path)
    assert answer["statusCode"] == 200
    assert re.fullmatch("public, max-age=[1-9][0-9]+", answer["headers"]["Cache-Control"])
    second = ask(path, **{"If-None-Match": answer["headers"]["ETag"]})
    assert (second["statusCode"], second["body"]) == (304, "")
    assert ask(path, **{"If-None-Match": '"another"'})["body"] == answer["body"]


def test_both_have_their_content_type(ask: Any) -> None:
    document, page = ask(PATHS[0]), ask(PATHS[1])
    assert document["headers"]["Content-Type"] == "application/json"
    served_document = json.loads(document["body"])
    assert served_document["openapi"] == "3.1.0"
    flow = served_document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://sign-in.example.com/oauth2/token"
    assert page["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert page["body"].startswith("<!doctype html>")


def test_the_document_says_whether_the_stack_needs_client_keys(ask: Any) -> None:
    assert "x-api-key" not in ask(PATHS[0])["body"]
    settings = OpenApiSettings("https://sign-in.example.com", "required")
    responder = OpenApiResponder(list(load_resources().values()), settings)
    assert '"name":"x-api-key"' in invoke(create_api_handler("openapi", responder.respond), PATHS[0])["body"]


def test_another_path_is_not_found(ask: Any) -> None:
    assert ask("/v1/other")["statusCode"] == 404


def test_the_page_runs_only_its_own_scripts_and_contacts_no_other_host(ask: Any) -> None:
    answer = ask("/v1/docs")
    page, policy = answer["body"], answer["headers"]["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    assert rules["connect-src"] == "'self'"
    for kind in ("script", "style"):
        [text] = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        assert rules[f"{kind}-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    # The policy would block these, or another host would answer.
    assert not re.search(r"https?://|//[a-z]+\.|\bsrc=|\bon[a-z]+=|\bstyle=|innerHTML|eval\(|@import|url\(", page)


def test_a_changed_page_has_another_policy() -> None:
    assert create_content_security_policy(b"<style>a</style><script>b</script>") != create_content_security_policy(
        b"<style>a</style><script>c</script>"
    )


@pytest.mark.parametrize("collection", ["docs", "openapi", "openapi.json", "status"])
def test_no_collection_can_have_the_name_of_a_public_path(collection: str) -> None:
    with pytest.raises(TypeError, match="cannot name a collection"):
        create_resource(create_item_class(("name", str)), collection)


def test_an_invalid_example_is_rejected() -> None:
    with pytest.raises(TypeError, match=r"an example is not a valid item: .*size"):
        create_resource(create_item_class(("size", int)), "things", examples=[{"size": "large"}])
