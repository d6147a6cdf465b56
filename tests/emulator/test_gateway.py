import base64
import gzip
import json
import time
from typing import Any

import httpx
import pytest

from testkit.emulator_harness import Emulator, build_function, deploy_stack

CODE = """
    import json, time

    def handle(event, context):
        parameters = event["queryStringParameters"] or {}
        if "sleep" in parameters:
            time.sleep(float(parameters["sleep"]))
        if "fail" in parameters:
            raise ValueError("the secret of the database")
        if "malformed" in parameters:
            return ["no object"]
        return {"statusCode": 200, "body": json.dumps(event)}
"""
LOGGED = ("requestId", "status", "resourcePath", "error.responseType", "authorizer.claims.username", "xrayTraceId")
SCOPES = ["things/read", "aws.cognito.signin.user.admin"]
PROBLEM = '{"title":"%s","message":$context.error.messageString,"type":"$context.error.responseType"}'


def _build_event(path: str, method: str, scopes: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    auth: dict[str, Any] = {"Authorizer": "NONE" if scopes is None else "Callers"}
    if scopes:
        auth["AuthorizationScopes"] = scopes
    return {
        "Type": "Api",
        "Properties": {"RestApiId": {"Ref": "Api"}, "Path": path, "Method": method, "Auth": auth, **properties},
    }


def _build_problem(status: int, title: str) -> dict[str, Any]:
    return {
        "StatusCode": status,
        "ResponseParameters": {"Headers": {"Content-Type": "'application/problem+json'"}},
        "ResponseTemplates": {"application/json": PROBLEM % title},
    }


def _build_template(**responses: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Api": {
                "Type": "AWS::Serverless::Api",
                "Properties": {
                    "StageName": "live",
                    "OpenApiVersion": "3.0.1",
                    "MinimumCompressionSize": 1024,
                    "AccessLogSetting": {
                        "DestinationArn": {"Fn::GetAtt": ["Log", "Arn"]},
                        "Format": json.dumps({name: f"$context.{name}" for name in LOGGED}),
                    },
                    "Auth": {
                        "DefaultAuthorizer": "Callers",
                        "Authorizers": {"Callers": {"UserPoolArn": {"Fn::GetAtt": ["Pool", "Arn"]}}},
                    },
                    "GatewayResponses": responses,
                },
            },
            "Log": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": {"Fn::Sub": "access/${AWS::StackName}"}},
            },
            "Pool": {
                "Type": "AWS::Cognito::UserPool",
                "Properties": {"Policies": {"PasswordPolicy": {"MinimumLength": 8}}},
            },
            "Client": {
                "Type": "AWS::Cognito::UserPoolClient",
                "Properties": {
                    "UserPoolId": {"Ref": "Pool"},
                    "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
                },
            },
            "Editors": {
                "Type": "AWS::Cognito::UserPoolGroup",
                "Properties": {"GroupName": "editors", "UserPoolId": {"Ref": "Pool"}},
            },
            "Staff": {
                "Type": "AWS::Cognito::UserPoolGroup",
                "Properties": {"GroupName": "staff", "UserPoolId": {"Ref": "Pool"}},
            },
            "Specific": build_function(
                CODE,
                Events={
                    "Get": _build_event("/v1/{collection}/{id}", "GET"),
                    "Hasty": _build_event("/hasty", "GET", TimeoutInMillis=300),
                    "Scoped": _build_event("/scoped", "GET", SCOPES),
                    "Unscoped": _build_event("/unscoped", "GET", []),
                },
            ),
            "Fallback": build_function(
                CODE,
                ReservedConcurrentExecutions=0,
                Events={"Busy": _build_event("/busy", "ANY")},
            ),
            "Elsewhere": build_function(
                CODE,
                Events={
                    "Item": _build_event("/v1/{collection}/{id}", "ANY"),
                    "All": _build_event("/v1/{proxy+}", "ANY"),
                },
            ),
        },
        "Outputs": {
            "Url": {"Value": {"Ref": "Api"}},
            "Pool": {"Value": {"Ref": "Pool"}},
            "Client": {"Value": {"Ref": "Client"}},
            "Specific": {"Value": {"Ref": "Specific"}},
            "Log": {"Value": {"Ref": "Log"}},
        },
    }


CUSTOM_RESPONSES = {
    "UNAUTHORIZED": _build_problem(401, "Who are you?"),
    "REQUEST_TOO_LARGE": _build_problem(413, "Too large"),
    "INTEGRATION_FAILURE": _build_problem(503, "Busy"),
    "INTEGRATION_TIMEOUT": _build_problem(504, "Too slow"),
    "DEFAULT_5XX": _build_problem(500, "Broken"),
}


class Api:
    def __init__(self, emulator: Emulator, outputs: dict[str, str]) -> None:
        self.outputs = outputs
        self.url = f"{emulator.url}/_aws/execute-api/{outputs['Url']}/live"
        self.http = httpx.Client(timeout=40)

    def get(self, path: str, token: str = "", **arguments: Any) -> httpx.Response:
        return self.request("GET", path, token, **arguments)

    def request(self, method: str, path: str, token: str = "", **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.request(method, self.url + path, headers=headers, **arguments)


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> Api:
    return Api(emulator, deploy_stack(emulator, "gateway", _build_template(**CUSTOM_RESPONSES)))


@pytest.fixture(scope="module")
def plain(emulator: Emulator) -> Api:
    return Api(emulator, deploy_stack(emulator, "gateway-plain", _build_template()))


def test_a_specific_method_has_priority_over_any(api: Api) -> None:
    def find_route(method: str, path: str) -> tuple[str, Any]:
        event = api.request(method, path).json()
        return event["resource"], event["pathParameters"]

    item = {"collection": "airports", "id": "EDDF"}
    assert find_route("GET", "/v1/airports/EDDF") == ("/v1/{collection}/{id}", item)
    assert find_route("PATCH", "/v1/airports/EDDF") == ("/v1/{collection}/{id}", item)
    assert find_route("PUT", "/v1/a/b/c") == ("/v1/{proxy+}", {"proxy": "a/b/c"})


def test_path_parameters_are_decoded_but_the_path_is_not(api: Api) -> None:
    event = api.get("/v1/airports/A%2FB%20%C3%BC+%2541?q=a%20b").json()
    assert event["pathParameters"] == {"collection": "airports", "id": "A/B ü+%41"}
    assert event["path"] == "/v1/airports/A%2FB%20%C3%BC+%2541"
    assert event["queryStringParameters"] == {"q": "a b"}


def test_event_and_response_have_the_same_request_id(api: Api) -> None:
    response = api.get("/v1/airports/EDDF")
    assert response.headers["x-amzn-requestid"] == response.json()["requestContext"]["requestId"]
    assert response.json()["requestContext"]["domainName"] == "127.0.0.1"


def test_each_request_has_a_line_in_the_access_log(api: Api, emulator: Emulator) -> None:
    logs = emulator.client("logs")
    responses = [api.get("/v1/airports/EDDF"), api.get("/scoped")]
    for response, expected in zip(
        responses,
        [("200", "/v1/{collection}/{id}", "-", "-", "-"), ("401", "/scoped", "UNAUTHORIZED", "-", "-")],
        strict=True,
    ):
        request_id = response.headers["x-amzn-requestid"]
        found = logs.filter_log_events(logGroupName=api.outputs["Log"], filterPattern=f'"{request_id}"')["events"]
        [line] = [json.loads(event["message"]) for event in found]
        assert tuple(line[name] for name in LOGGED) == (request_id, *expected)


def test_the_address_that_a_request_came_from_is_the_last_of_those_it_was_forwarded_for(api: Api) -> None:
    for sent, forwarded_for in (({"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1, 127.0.0.1"), ({}, "127.0.0.1")):
        event = api.http.get(api.url + "/v1/airports/EDDF", headers=sent).json()
        assert event["headers"]["x-forwarded-for"] == forwarded_for
        assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_requests_are_decompressed_and_large_responses_compressed(api: Api) -> None:
    compressed = gzip.compress(b'{"name": "Frankfurt"}')
    response = api.http.post(api.url + "/v1/a/b", content=compressed, headers={"Content-Encoding": "gzip"})
    assert response.json()["body"] == '{"name": "Frankfurt"}'
    assert response.headers["content-encoding"] == "gzip"
    plain = api.http.post(api.url + "/v1/a/b", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    huge = gzip.compress(b"x" * (11 * 1024 * 1024))
    assert api.http.post(api.url + "/v1/a/b", content=huge, headers={"Content-Encoding": "gzip"}).status_code == 413
    broken = api.http.post(api.url + "/v1/a/b", content=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert broken.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status", "title"),
    [
        ("GET", "/scoped", {}, 401, "Who are you?"),
        ("GET", "/v1/a/b?fail=1", {}, 500, "Broken"),
        ("GET", "/v1/a/b?malformed=1", {}, 500, "Broken"),
        ("GET", "/hasty?sleep=1", {}, 504, "Too slow"),
        ("GET", "/busy", {}, 503, "Busy"),
        ("POST", "/v1/a/b", {"content": b"x" * (10 * 1024 * 1024 + 1)}, 413, "Too large"),
        ("POST", "/v1/a/b", {"content": b"x" * (7 * 1024 * 1024)}, 413, "Too large"),
    ],
)
def test_gateway_responses_of_the_template_are_used(
    api: Api, method: str, path: str, arguments: dict[str, Any], status: int, title: str
) -> None:
    response = api.request(method, path, **arguments)
    assert (response.status_code, response.json()["title"]) == (status, title)
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/scoped", 401, "Unauthorized"),
        ("/nowhere", 403, "Missing Authentication Token"),
        ("/v1/a/b?fail=1", 502, "Internal server error"),
        ("/v1/a/b?malformed=1", 502, "Internal server error"),
        ("/hasty?sleep=1", 504, "Endpoint request timed out"),
        ("/busy", 500, "Internal server error"),
    ],
)
def test_without_gateway_responses_the_defaults_of_aws_are_used(
    plain: Api, path: str, status: int, message: str
) -> None:
    response = plain.get(path)
    assert (response.status_code, response.json()) == (status, {"message": message})


def test_a_customized_default_changes_the_status_of_its_responses(emulator: Emulator) -> None:
    responses = {"DEFAULT_4XX": _build_problem(418, "Teapot")}
    api = Api(emulator, deploy_stack(emulator, "gateway-default", _build_template(**responses)))
    assert (api.get("/nowhere").status_code, api.get("/nowhere").json()["title"]) == (418, "Teapot")


def test_a_redeploy_keeps_the_address_of_the_api(emulator: Emulator, plain: Api) -> None:
    changed = _build_template(UNAUTHORIZED=_build_problem(401, "Changed"))
    assert deploy_stack(emulator, "gateway-plain", changed)["Url"] == plain.outputs["Url"]
    assert plain.get("/scoped").json()["title"] == "Changed"
    assert plain.get("/v1/a/b").status_code == 200
    deploy_stack(emulator, "gateway-plain", _build_template())
    assert plain.get("/scoped").json() == {"message": "Unauthorized"}


@pytest.fixture(scope="module")
def tokens(emulator: Emulator, api: Api) -> dict[str, str]:
    return _create_tokens(emulator, api.outputs)


def _create_tokens(emulator: Emulator, outputs: dict[str, str]) -> dict[str, str]:
    cognito = emulator.client("cognito-idp")
    user = {"UserPoolId": outputs["Pool"], "Username": "ann"}
    cognito.admin_create_user(**user, UserAttributes=[{"Name": "email", "Value": "ann@example.org"}])
    cognito.admin_set_user_password(**user, Password="Correct-horse-9", Permanent=True)
    for group in ("editors", "staff"):
        cognito.admin_add_user_to_group(**user, GroupName=group)
    result = cognito.initiate_auth(
        ClientId=outputs["Client"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Correct-horse-9"},
    )["AuthenticationResult"]
    return {"access": result["AccessToken"], "id": result["IdToken"]}


def test_scopes_need_an_access_token_and_no_scopes_an_identity_token(api: Api, tokens: dict[str, str]) -> None:
    statuses = {
        (path, kind): api.get(path, token).status_code
        for path in ("/scoped", "/unscoped")
        for kind, token in tokens.items()
    }
    assert statuses == {
        ("/scoped", "access"): 200,
        ("/scoped", "id"): 401,
        ("/unscoped", "access"): 401,
        ("/unscoped", "id"): 200,
    }


def test_invalid_tokens_are_rejected(emulator: Emulator, api: Api, plain: Api, tokens: dict[str, str]) -> None:
    header, claims, signature = tokens["access"].split(".")
    loaded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**loaded, "sub": "eve"}).encode()).rstrip(b"=").decode()
    bad = {
        "none": "",
        "garbage": "garbage",
        "forged": f"{header}.{forged}.{signature}",
        "of another pool": _create_tokens(emulator, plain.outputs)["access"],
    }
    assert {name: api.get("/scoped", token).status_code for name, token in bad.items()} == dict.fromkeys(bad, 401)


def test_claims_are_strings_as_on_aws(api: Api, tokens: dict[str, str]) -> None:
    claims = api.get("/scoped", tokens["access"]).json()["requestContext"]["authorizer"]["claims"]
    assert sorted(claims["cognito:groups"].split(",")) == ["editors", "staff"]
    assert claims["scope"] == "aws.cognito.signin.user.admin"
    assert claims["auth_time"].isdigit()
    issued = time.mktime(time.strptime(claims["iat"], "%a %b %d %H:%M:%S UTC %Y"))
    assert abs(time.mktime(time.gmtime()) - issued) < 120
