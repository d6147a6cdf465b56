"""Required API keys: each client needs its key, and the usage plan limits it. A cache serves a response only with the
key of the request that it was cached for."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from testkit.edge_template import build_edge_template
from tests.edge.conftest import DeployedEdge, DeployEdge

# The token bucket gets one token in a thousand seconds, so no test is slow enough to see another request accepted.
SLOW_RATE = 0.001
REQUIRED = {"ClientKeys": "required", "ClientRate": "50"}


@pytest.fixture(scope="module")
def outage_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file exists, the function responds 503."""
    return tmp_path_factory.mktemp("switch") / "outage"


@pytest.fixture(scope="module")
def edge(deploy_edge: DeployEdge, outage_file: Path) -> DeployedEdge:
    return deploy_edge("keyed", build_edge_template(outage_file, ApiCacheSize="0.5", ApiCacheSeconds="60", **REQUIRED))


def _create_key(edge: DeployedEdge, name: str) -> tuple[str, str]:
    """Create a key in the usage plan; returns its id and its value."""
    gateway = edge.emulator.client("apigateway")
    key = gateway.create_api_key(name=name, enabled=True)
    gateway.create_usage_plan_key(usagePlanId=edge.outputs["ClientPlanId"], keyId=key["id"], keyType="API_KEY")
    return key["id"], key["value"]


def _read_rejection(response: httpx.Response) -> Any:
    assert (response.status_code, response.headers["Content-Type"]) == (403, "application/problem+json")
    return response.json()


def test_a_client_needs_its_key_and_a_token(edge: DeployedEdge) -> None:
    ada, (_, key) = edge.fetch_token("ada"), _create_key(edge, "first")
    assert edge.get("/v1/airports", ada, x_api_key=key).status_code == 200
    for headers in ({}, {"x_api_key": "guessed" * 5}):
        problem = _read_rejection(edge.get("/v1/airports", ada, **headers))
        assert (problem["status"], "x-api-key" in problem["detail"]) == (403, True)
    assert edge.get("/v1/airports", x_api_key=key).status_code == 401


def test_public_pages_need_neither(edge: DeployedEdge) -> None:
    for path in ("/v1/openapi.json", "/v1/docs", "/v1/status"):
        for headers in ({}, {"x_api_key": "guessed" * 5}):
            response = edge.get(path, **headers)
            assert (response.status_code, response.text) == (200, "for everybody")


def test_a_key_outside_the_plan_and_a_disabled_key_are_rejected(edge: DeployedEdge) -> None:
    ada, gateway = edge.fetch_token("ada"), edge.emulator.client("apigateway")
    stranger = gateway.create_api_key(name="stranger", enabled=True)
    _read_rejection(edge.get("/v1/airports", ada, x_api_key=stranger["value"]))
    identifier, key = _create_key(edge, "blocked")

    def set_enabled(value: str) -> httpx.Response:
        operation = {"op": "replace", "path": "/enabled", "value": value}
        gateway.update_api_key(apiKey=identifier, patchOperations=[operation])
        return edge.get("/v1/airports", ada, x_api_key=key)

    _read_rejection(set_enabled("false"))
    assert set_enabled("true").status_code == 200


def test_the_apis_cache_serves_only_clients_with_a_key(edge: DeployedEdge) -> None:
    ada, (_, key), (_, other) = edge.fetch_token("ada"), _create_key(edge, "cached"), _create_key(edge, "other")
    path = "/v1/airports?limit=21"
    times = [edge.get(path, ada, x_api_key=sent).json()["time_ns"] for sent in (key, key, other)]
    assert times[0] == times[1] != times[2]
    _read_rejection(edge.get(path, ada))
    _read_rejection(edge.get(path, ada, x_api_key="guessed" * 5))


def test_cloudfront_serves_a_cached_response_only_with_its_key(deploy_edge: DeployEdge, outage_file: Path) -> None:
    """The leak needs a response that CloudFront may serve without validation, or an API that is unavailable. If
    CloudFront's cache key lacks the API key, a copy of the template leaks it."""
    cacheable = build_edge_template(outage_file, cache_control="max-age=60", **REQUIRED)
    edge, path = deploy_edge("cacheable-keys", cacheable), "/v1/airports/EDDF"
    ada, (_, key), (_, other) = edge.fetch_token("ada"), _create_key(edge, "only"), _create_key(edge, "late")

    def fetch_time(**headers: str) -> int:
        return int(edge.get(path, ada, **headers).json()["time_ns"])

    cached = fetch_time(x_api_key=key)
    assert fetch_time(x_api_key=key) == cached
    assert fetch_time(x_api_key=other) != cached
    _read_rejection(edge.get(path, ada))
    headers = cacheable["Resources"]["SharedCachePolicy"]["Properties"]["CachePolicyConfig"]
    headers["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"].pop()
    edge.redeploy(cacheable)
    cached = fetch_time(x_api_key=key)
    assert fetch_time() == fetch_time(x_api_key="guessed" * 5) == cached


def test_a_client_over_its_rate_is_throttled_and_another_is_not(edge: DeployedEdge, outage_file: Path) -> None:
    slow = build_edge_template(outage_file, ApiCacheSize="0.5", **REQUIRED, ClientBurst="3")
    slow["Resources"]["ClientPlan"]["Properties"]["Throttle"]["RateLimit"] = SLOW_RATE
    edge.redeploy(slow)
    ada, (_, busy), (_, calm) = edge.fetch_token("ada"), _create_key(edge, "busy"), _create_key(edge, "calm")
    responses = [edge.get("/v1/airports/EDDF", ada, x_api_key=busy) for _ in range(5)]
    assert [response.status_code for response in responses] == [200] * 3 + [429] * 2
    last = responses[-1]
    assert (last.headers["Retry-After"], last.headers["Content-Type"]) == ("1", "application/problem+json")
    assert edge.get("/v1/airports/EDDF", ada, x_api_key=calm).status_code == 200


def test_a_client_over_its_quota_is_throttled_and_another_is_not(edge: DeployedEdge, outage_file: Path) -> None:
    edge.redeploy(build_edge_template(outage_file, ApiCacheSize="0.5", **REQUIRED, ClientQuota="2"))
    ada, (_, busy), (_, calm) = edge.fetch_token("ada"), _create_key(edge, "spent"), _create_key(edge, "saving")
    responses = [edge.get("/v1/airports/EDDF", ada, x_api_key=busy) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert (responses[-1].headers["Retry-After"], "quota" in responses[-1].json()["detail"]) == ("3600", True)
    assert edge.get("/v1/airports/EDDF", ada, x_api_key=calm).status_code == 200


def test_deploys_create_keys_then_require_them_then_remove_them(deploy_edge: DeployEdge, outage_file: Path) -> None:
    """A client that already has its key is never rejected in between."""
    edge = deploy_edge("switched", build_edge_template(outage_file))
    ada = edge.fetch_token("ada")

    def fetch_statuses(**headers: str) -> list[int]:
        responses = [edge.get("/v1/airports", ada, **headers), edge.get("/v1/docs", **headers)]
        return [response.status_code for response in responses]

    assert ("ClientPlanId" in edge.outputs, fetch_statuses()) == (False, [200, 200])
    edge.redeploy(build_edge_template(outage_file, ClientRate="50"))
    _, key = _create_key(edge, "early")
    assert fetch_statuses() == fetch_statuses(x_api_key=key) == [200, 200]
    edge.redeploy(build_edge_template(outage_file, **REQUIRED))
    assert (fetch_statuses(), fetch_statuses(x_api_key=key)) == ([403, 200], [200, 200])
    edge.redeploy(build_edge_template(outage_file))
    assert ("ClientPlanId" in edge.outputs, fetch_statuses(), fetch_statuses(x_api_key=key)) == (
        False,
        [200, 200],
        [200, 200],
    )
