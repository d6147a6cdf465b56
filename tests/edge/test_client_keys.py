"""Where keys are required, each client is let in by its key and bounded by the plan; what a cache kept is given to
nobody without the key that it was given to before."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.edge.conftest import DeployedEdge, DeployEdge
from tests.edge.edge_template import build_edge_template

# A bucket that is refilled once in a thousand seconds: no test is so slow that it would see another request let in.
SLOW = 0.001
REQUIRED = {"ClientKeys": "required", "ClientRate": "50"}


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file exists, the function cannot answer."""
    return tmp_path_factory.mktemp("switch") / "away"


@pytest.fixture(scope="module")
def edged(put: DeployEdge, away: Path) -> DeployedEdge:
    return put("keyed", build_edge_template(away, ApiCacheSize="0.5", ApiCacheSeconds="60", **REQUIRED))


def _key(edged: DeployedEdge, name: str) -> tuple[str, str]:
    """A client's new key, in the plan: its id and its value."""
    gateway = edged.emulator.client("apigateway")
    made = gateway.create_api_key(name=name, enabled=True)
    gateway.create_usage_plan_key(usagePlanId=edged.outputs["ClientPlanId"], keyId=made["id"], keyType="API_KEY")
    return made["id"], made["value"]


def _refused(answer: httpx.Response) -> Any:
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    return answer.json()


def test_a_client_needs_its_key_and_a_token(edged: DeployedEdge) -> None:
    ada, (_, key) = edged.fetch_token("ada"), _key(edged, "first")
    assert edged.get("/v1/airports", ada, x_api_key=key).status_code == 200
    for headers in ({}, {"x_api_key": "guessed" * 5}):
        problem = _refused(edged.get("/v1/airports", ada, **headers))
        assert (problem["status"], "x-api-key" in problem["detail"]) == (403, True)
    assert edged.get("/v1/airports", x_api_key=key).status_code == 401


def test_what_everybody_may_read_needs_neither(edged: DeployedEdge) -> None:
    for path in ("/v1/openapi.json", "/v1/docs"):
        for headers in ({}, {"x_api_key": "guessed" * 5}):
            answer = edged.get(path, **headers)
            assert (answer.status_code, answer.text) == (200, "for everybody")


def test_a_key_outside_of_the_plan_and_a_blocked_one_let_nobody_in(edged: DeployedEdge) -> None:
    ada, gateway = edged.fetch_token("ada"), edged.emulator.client("apigateway")
    stranger = gateway.create_api_key(name="stranger", enabled=True)
    _refused(edged.get("/v1/airports", ada, x_api_key=stranger["value"]))
    identifier, key = _key(edged, "blocked")

    def let_in(value: str) -> httpx.Response:
        operation = {"op": "replace", "path": "/enabled", "value": value}
        gateway.update_api_key(apiKey=identifier, patchOperations=[operation])
        return edged.get("/v1/airports", ada, x_api_key=key)

    _refused(let_in("false"))
    assert let_in("true").status_code == 200


def test_what_the_apis_cache_kept_is_for_clients_with_a_key(edged: DeployedEdge) -> None:
    ada, (_, key), (_, other) = edged.fetch_token("ada"), _key(edged, "cached"), _key(edged, "other")
    path = "/v1/bookings?limit=21"
    moments = [edged.get(path, ada, x_api_key=key).json()["moment"] for _ in range(2)]
    assert moments[0] == moments[1]
    _refused(edged.get(path, ada))
    assert edged.get(path, ada, x_api_key=other).json()["moment"] != moments[0]


def test_what_cloudfront_kept_is_for_the_key_that_it_was_given_to(put: DeployEdge, away: Path) -> None:
    """It takes answers that may be given without asking, or an API that cannot be asked. A copy of the template without
    the key in CloudFront's leaks them."""
    careless = build_edge_template(away, kept="max-age=60", **REQUIRED)
    edged, path = put("careless-keys", careless), "/v1/airports/EDDF"
    ada, (_, key), (_, other) = edged.fetch_token("ada"), _key(edged, "only"), _key(edged, "late")

    def moment(**headers: str) -> int:
        return int(edged.get(path, ada, **headers).json()["moment"])

    kept = moment(x_api_key=key)
    assert moment(x_api_key=key) == kept
    assert moment(x_api_key=other) != kept
    _refused(edged.get(path, ada))
    headers = careless["Resources"]["SharedCachePolicy"]["Properties"]["CachePolicyConfig"]
    headers["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"].pop()
    edged.redeploy(careless)
    kept = moment(x_api_key=key)
    assert moment() == moment(x_api_key="guessed" * 5) == kept


def test_a_client_over_its_rate_is_refused_and_another_is_answered(edged: DeployedEdge, away: Path) -> None:
    slow = build_edge_template(away, ApiCacheSize="0.5", **REQUIRED, ClientBurst="3")
    slow["Resources"]["ClientPlan"]["Properties"]["Throttle"]["RateLimit"] = SLOW
    edged.redeploy(slow)
    ada, (_, busy), (_, calm) = edged.fetch_token("ada"), _key(edged, "busy"), _key(edged, "calm")
    answers = [edged.get("/v1/airports/EDDF", ada, x_api_key=busy) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    last = answers[-1]
    assert (last.headers["Retry-After"], last.headers["Content-Type"]) == ("1", "application/problem+json")
    assert edged.get("/v1/airports/EDDF", ada, x_api_key=calm).status_code == 200


def test_a_client_over_its_quota_is_refused_and_another_is_answered(edged: DeployedEdge, away: Path) -> None:
    edged.redeploy(build_edge_template(away, ApiCacheSize="0.5", **REQUIRED, ClientQuota="2"))
    ada, (_, busy), (_, calm) = edged.fetch_token("ada"), _key(edged, "spent"), _key(edged, "saving")
    answers = [edged.get("/v1/airports/EDDF", ada, x_api_key=busy) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[-1].headers["Retry-After"], "quota" in answers[-1].json()["detail"]) == ("3600", True)
    assert edged.get("/v1/airports/EDDF", ada, x_api_key=calm).status_code == 200


def test_keys_are_made_then_required_then_given_up_by_deploys(put: DeployEdge, away: Path) -> None:
    """Whoever has a key by then is refused nothing on the way."""
    edged = put("switched", build_edge_template(away))
    ada = edged.fetch_token("ada")

    def asked(**headers: str) -> list[int]:
        answers = [edged.get("/v1/airports", ada, **headers), edged.get("/v1/docs", **headers)]
        return [answer.status_code for answer in answers]

    assert ("ClientPlanId" in edged.outputs, asked()) == (False, [200, 200])
    edged.redeploy(build_edge_template(away, ClientRate="50"))
    _, key = _key(edged, "early")
    assert asked() == asked(x_api_key=key) == [200, 200]
    edged.redeploy(build_edge_template(away, **REQUIRED))
    assert (asked(), asked(x_api_key=key)) == ([403, 200], [200, 200])
    edged.redeploy(build_edge_template(away))
    assert ("ClientPlanId" in edged.outputs, asked(), asked(x_api_key=key)) == (False, [200, 200], [200, 200])
