"""The cache of a stage: the key of an entry, its lifetime, and who cannot bypass it."""

import time
from typing import Any

import httpx
import pytest

from testkit.emulator_harness import Emulator, build_function, deploy_stack

# Each response is unique, so that a test recognizes a cached one.
CODE = """
    import time

    def handle(event, context):
        parameters = event["queryStringParameters"] or {}
        status = int(parameters.get("status", 200))
        size = int(parameters.get("size", 0))
        return {"statusCode": status, "headers": {"Cache-Control": "no-store"}, "body": str(time.time_ns()) + "x" *
        size}
"""
KEYED = [
    {"method.request.path.id": {"Required": True, "Caching": True}},
    {"method.request.querystring.key": {"Required": False, "Caching": True}},
    {"method.request.header.X-Caller": {"Required": False, "Caching": True}},
]
ON = {"CachingEnabled": True, "CacheTtlInSeconds": 2}


def _build_template(settings: list[dict[str, Any]], *, on: bool = True) -> dict[str, Any]:
    def build_event(path: str, method: str, parameters: list[Any]) -> dict[str, Any]:
        return {
            "Type": "Api",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "Path": path,
                "Method": method,
                "RequestParameters": parameters,
            },
        }

    events = {
        "Keyed": build_event("/keyed/{id}", "GET", KEYED),
        "Bare": build_event("/bare/{id}", "GET", []),
        "Written": build_event("/bare/{id}", "POST", []),
        "Off": build_event("/off", "GET", []),
    }
    return {
        "Resources": {
            "Api": {
                "Type": "AWS::Serverless::Api",
                "Properties": {
                    "StageName": "live",
                    "OpenApiVersion": "2.0",
                    "CacheClusterEnabled": on,
                    "CacheClusterSize": "0.5",
                    "MethodSettings": settings,
                },
            },
            "Fn": build_function(CODE, Events=events),
        },
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}},
    }


SETTINGS = [
    {"ResourcePath": "/*", "HttpMethod": "*", **ON},
    {"ResourcePath": "/~1off", "HttpMethod": "GET", "CachingEnabled": False},
]


class Api:
    def __init__(self, emulator: Emulator, api: str) -> None:
        self._url = f"{emulator.url}/_aws/execute-api/{api}/live"

    def get(self, path: str, method: str = "GET", **headers: str) -> str:
        return self.request(path, method, **headers).text

    def request(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        header_fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, self._url + path, headers=header_fields, trust_env=False)

    def returns_same_response_twice(self, path: str, **headers: str) -> bool:
        return self.get(path, **headers) == self.get(path, **headers)


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> Api:
    return Api(emulator, deploy_stack(emulator, "cache", _build_template(SETTINGS))["Api"])


def test_a_response_is_cached_for_the_ttl_whatever_cache_control_says(api: Api) -> None:
    first = api.get("/keyed/time")
    assert api.get("/keyed/time") == first
    time.sleep(2.1)
    assert api.get("/keyed/time") != first


def test_the_declared_parameters_are_the_cache_key(api: Api) -> None:
    responses = [api.get("/keyed/a"), api.get("/keyed/b"), api.get("/keyed/a?key=1"), api.get("/keyed/a?key=2")]
    responses += [api.get("/keyed/a", X_Caller="ada"), api.get("/keyed/a", X_Caller="eve")]
    assert len(set(responses)) == len(responses)
    assert api.get("/keyed/a?other=1", Accept="text/plain") == responses[0]
    assert api.get("/keyed/a", x_caller="ada") == responses[4]


def test_neither_a_repeated_nor_an_empty_value_is_part_of_the_key(api: Api) -> None:
    assert api.get("/keyed/twice?key=1&key=2") == api.get("/keyed/twice?key=2")
    assert api.get("/keyed/empty?key=") == api.get("/keyed/empty")


def test_undeclared_parameters_are_not_part_of_the_key_not_even_the_path(api: Api) -> None:
    assert api.get("/bare/a") == api.get("/bare/b?key=1", Authorization="Bearer eve")


def test_other_methods_are_cached_only_if_their_own_settings_say_so(emulator: Emulator, api: Api) -> None:
    assert api.get("/bare/a", "POST") != api.get("/bare/a", "POST")
    with_post = [*SETTINGS, {"ResourcePath": "/~1bare~1{id}", "HttpMethod": "POST", **ON}]
    other = Api(emulator, deploy_stack(emulator, "cache-of-posts", _build_template(with_post))["Api"])
    assert other.get("/bare/a", "POST") == other.get("/bare/a", "POST")


def test_a_method_with_caching_disabled_and_a_stage_without_cache_cache_nothing(emulator: Emulator, api: Api) -> None:
    assert not api.returns_same_response_twice("/off")
    without = Api(emulator, deploy_stack(emulator, "cache-off", _build_template(SETTINGS, on=False))["Api"])
    assert not without.returns_same_response_twice("/keyed/a")
    deploy_stack(emulator, "cache-off", _build_template(SETTINGS))
    assert without.returns_same_response_twice("/keyed/a")


def test_errors_of_the_function_are_cached_but_large_responses_are_not(api: Api) -> None:
    assert api.returns_same_response_twice("/keyed/gone?status=404&key=gone")
    assert api.request("/keyed/gone?status=404&key=gone").status_code == 404
    assert api.returns_same_response_twice("/keyed/large?size=1000000&key=large")
    assert not api.returns_same_response_twice("/keyed/large?size=1048577&key=larger")


def test_a_caller_without_permission_cannot_bypass_the_cache(api: Api) -> None:
    first = api.request("/keyed/anew")
    second = api.request("/keyed/anew", Cache_Control="max-age=0")
    assert (second.text, "Warning" in second.headers, "Warning" in first.headers) == (first.text, True, False)
