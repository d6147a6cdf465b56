"""A stage's cache: what an answer is known by, for how long, and who gets nothing of it."""

import time
from typing import Any

import httpx
import pytest

from tests.emulator.harness import Emulator, build_function, deploy_stack

# Each answer says which call it is, so that a kept one is known.
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


def _template(settings: list[dict[str, Any]], *, on: bool = True) -> dict[str, Any]:
    def event(path: str, method: str, parameters: list[Any]) -> dict[str, Any]:
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
        "Keyed": event("/keyed/{id}", "GET", KEYED),
        "Bare": event("/bare/{id}", "GET", []),
        "Written": event("/bare/{id}", "POST", []),
        "Off": event("/off", "GET", []),
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
        return self.answer(path, method, **headers).text

    def answer(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, self._url + path, headers=given, trust_env=False)

    def same(self, path: str, **headers: str) -> bool:
        return self.get(path, **headers) == self.get(path, **headers)


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> Api:
    return Api(emulator, deploy_stack(emulator, "cache", _template(SETTINGS))["Api"])


def test_an_answer_is_kept_for_its_time_whatever_the_function_says_of_caching(api: Api) -> None:
    first = api.get("/keyed/time")
    assert api.get("/keyed/time") == first
    time.sleep(2.1)
    assert api.get("/keyed/time") != first


def test_an_answer_is_known_by_what_is_declared(api: Api) -> None:
    differing = [api.get("/keyed/a"), api.get("/keyed/b"), api.get("/keyed/a?key=1"), api.get("/keyed/a?key=2")]
    differing += [api.get("/keyed/a", X_Caller="ada"), api.get("/keyed/a", X_Caller="eve")]
    assert len(set(differing)) == len(differing)
    assert api.get("/keyed/a?other=1", Accept="text/plain") == differing[0]
    assert api.get("/keyed/a", x_caller="ada") == differing[4]


def test_what_is_not_declared_makes_no_difference_not_even_the_path(api: Api) -> None:
    assert api.get("/bare/a") == api.get("/bare/b?key=1", Authorization="Bearer eve")


def test_other_methods_are_kept_only_where_the_method_says_so(emulator: Emulator, api: Api) -> None:
    assert api.get("/bare/a", "POST") != api.get("/bare/a", "POST")
    written = [*SETTINGS, {"ResourcePath": "/~1bare~1{id}", "HttpMethod": "POST", **ON}]
    other = Api(emulator, deploy_stack(emulator, "cache-of-posts", _template(written))["Api"])
    assert other.get("/bare/a", "POST") == other.get("/bare/a", "POST")


def test_a_method_that_is_set_apart_and_a_stage_without_cache_keep_nothing(emulator: Emulator, api: Api) -> None:
    assert not api.same("/off")
    without = Api(emulator, deploy_stack(emulator, "cache-off", _template(SETTINGS, on=False))["Api"])
    assert not without.same("/keyed/a")
    deploy_stack(emulator, "cache-off", _template(SETTINGS))
    assert without.same("/keyed/a")


def test_errors_of_the_function_are_kept_and_what_is_too_large_is_not(api: Api) -> None:
    assert api.same("/keyed/gone?status=404&key=gone")
    assert api.answer("/keyed/gone?status=404&key=gone").status_code == 404
    assert api.same("/keyed/large?size=1000000&key=large")
    assert not api.same("/keyed/large?size=1048577&key=larger")


def test_a_caller_without_the_permission_cannot_have_it_anew(api: Api) -> None:
    first = api.answer("/keyed/anew")
    again = api.answer("/keyed/anew", Cache_Control="max-age=0")
    assert (again.text, "Warning" in again.headers, "Warning" in first.headers) == (first.text, True, False)
