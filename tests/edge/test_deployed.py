"""What the project's own template says of the edge is enforced as it is deployed, and a copy without a rule shows the
lack."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.edge.conftest import DeployedEdge, DeployEdge
from tests.edge.edge_template import Template, build_edge_template

LIST = "/v1/bookings?limit=10"


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file exists, the function cannot answer."""
    return tmp_path_factory.mktemp("switch") / "away"


@pytest.fixture(scope="module")
def template(away: Path) -> Template:
    return build_edge_template(away, ApiCacheSize="0.5", ApiCacheSeconds="60")


@pytest.fixture(scope="module")
def edged(put: DeployEdge, template: Template) -> DeployedEdge:
    return put("as-it-is", template)


def _owners(edged: DeployedEdge, path: str = LIST) -> list[str]:
    """Whose answers two persons get at the same private address, each of them twice."""
    ada, eve = edged.fetch_token("ada"), edged.fetch_token("eve")
    return [edged.get(path, token).json()["owner"] for token in (ada, eve, ada, eve)]


def _broken(template: Template, *path: Any) -> Template:
    copied: Template = json.loads(json.dumps(template))
    place = copied["Resources"]
    for part in path[:-1]:
        place = place[part]
    del place[path[-1]]
    return copied


def _caller_key(template: Template) -> tuple[Any, ...]:
    path = ("GetFunction", "Properties", "Events", "Collection", "Properties", "RequestParameters")
    given = template["Resources"]
    for part in path:
        given = given[part]
    [number] = [
        n for n, parameter in enumerate(given) if next(iter(parameter)) == "method.request.header.Authorization"
    ]
    return (*path, number)


def test_two_persons_never_get_each_others_answer(edged: DeployedEdge) -> None:
    first, second, *again = _owners(edged)
    assert first != second
    assert again == [first, second]


def test_both_caches_do_keep_what_one_caller_may_have_again(edged: DeployedEdge) -> None:
    ada = edged.fetch_token("ada")
    moments = {edged.get(LIST, ada).json()["moment"] for _ in range(3)}
    assert len(moments) == 1
    others = {edged.get(f"/v1/bookings?limit={limit}", ada).json()["moment"] for limit in (11, 12)}
    assert len(others | moments) == 3


def test_without_the_caller_in_the_apis_key_a_copy_of_the_template_leaks(put: DeployEdge, template: Template) -> None:
    first, second, *_ = _owners(put("no-caller", _broken(template, *_caller_key(template))))
    assert first == second


def test_without_the_caller_in_cloudfronts_key_a_copy_of_the_template_leaks(put: DeployEdge, away: Path) -> None:
    """It takes answers that a shared cache may keep; the service's private ones say otherwise, so it is the second
    lock."""
    careless = build_edge_template(away, kept="max-age=60", ApiCacheSize="off")
    first, second, *again = _owners(put("careless", careless))
    assert ([first, second], first != second) == (again, True)
    headers = careless["Resources"]["SharedCachePolicy"]["Properties"]["CachePolicyConfig"]
    headers["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"].remove("Authorization")
    first, second, *_ = _owners(put("careless-without-key", careless))
    assert first == second


def test_a_direct_call_is_refused_in_the_apis_own_words(edged: DeployedEdge) -> None:
    ada = edged.fetch_token("ada")
    for headers in ({}, {"x_origin_verify": "guessed"}, {"x_origin_verify": ""}):
        refused = edged.get_from_stage("/v1/airports", ada, **headers)
        assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/problem+json")
        assert refused.json()["status"] == 403
    assert edged.get("/v1/airports", ada).status_code == 200
    # What a viewer sends by that name never reaches the API.
    assert edged.get("/v1/airports", ada, x_origin_verify="guessed").status_code == 200


def test_the_secret_is_rotated_without_a_gap(put: DeployEdge, away: Path) -> None:
    edged = put("rotated", build_edge_template(away))
    ada, secrets = edged.fetch_token("ada"), edged.emulator.client("secretsmanager")
    [identifier] = [
        resource["PhysicalResourceId"]
        for resource in edged.emulator.client("cloudformation").describe_stack_resources(StackName="rotated")[
            "StackResources"
        ]
        if resource["LogicalResourceId"] == "OriginSecret"
    ]
    old = secrets.get_secret_value(SecretId=identifier)
    new = secrets.put_secret_value(SecretId=identifier, SecretString="n" * 64)["VersionId"]

    def let_in() -> list[bool]:
        direct = [
            edged.get_from_stage("/v1/airports", ada, x_origin_verify=s).status_code
            for s in (old["SecretString"], "n" * 64)
        ]
        assert edged.get("/v1/airports", ada).status_code == 200
        return [status == 200 for status in direct]

    seen = [let_in()]
    for sent, also in ((old["VersionId"], new), (new, old["VersionId"]), (new, "")):
        edged.redeploy(build_edge_template(away, OriginSecretVersion=sent, OriginSecretAlso=also))
        seen.append(let_in())
    assert seen == [[True, False], [True, True], [True, True], [False, True]]


def test_a_shared_answer_outlives_the_service_and_a_private_one_does_not(edged: DeployedEdge, away: Path) -> None:
    ada, eve = edged.fetch_token("ada"), edged.fetch_token("eve")
    shared, private = "/v1/airports/EDDF", "/v1/bookings/one"
    before = edged.get(shared, ada)
    assert edged.get(private, ada).status_code == 200
    away.touch()
    try:
        stale = edged.get(shared, ada)
        assert (stale.status_code, stale.json()) == (200, before.json())
        assert (stale.headers["X-Cache"], int(stale.headers["Age"]) >= 0) == ("RefreshHit from cloudfront", True)
        assert edged.get(private, ada).status_code == 503
        # Who never got it, and who has no token that holds, gets nothing of it.
        assert edged.get(shared, eve).status_code == 503
        assert edged.get(shared).status_code == 401
    finally:
        away.unlink()
    assert edged.get(shared, ada).json()["moment"] > before.json()["moment"]
    assert edged.get(private, ada).status_code == 200


def test_a_changed_template_is_enforced_after_its_deploy(put: DeployEdge, away: Path) -> None:
    edged = put("changed", build_edge_template(away))
    ada = edged.fetch_token("ada")
    assert edged.get("/v1/airports?country=IS' or 1=1 --", ada).status_code == 403
    assert [edged.get("/v1/airports", ada).status_code for _ in range(3)] == [200] * 3

    limited = build_edge_template(away, EdgeRateLimit="10")
    limited["Resources"]["EdgeAcl"]["Properties"]["Rules"] = [
        rule for rule in limited["Resources"]["EdgeAcl"]["Properties"]["Rules"] if rule["Name"] != "SqlInjection"
    ]
    edged.redeploy(limited)
    assert edged.get("/v1/airports?country=IS' or 1=1 --", ada).status_code == 200
    # Of the 10 that one address may send in 5 minutes, 5 were sent.
    answers = [edged.get("/v1/airports", ada) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert (answers[-1].headers["Retry-After"], answers[-1].json()["status"]) == ("60", 429)
    other = httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9"), trust_env=False)
    assert other.get(f"{edged.url}/v1/airports", headers={"Authorization": f"Bearer {ada}"}).status_code == 200


def test_what_is_not_understood_stops_everything_until_it_is_gone(put: DeployEdge, away: Path) -> None:
    edged = put("refused", build_edge_template(away))
    strange = build_edge_template(away)
    strange["Resources"]["EdgeAcl"]["Properties"]["Rules"][0]["Statement"] = {
        "GeoMatchStatement": {"CountryCodes": ["IS"]}
    }
    strange["Resources"]["EdgeAcl"]["Properties"]["Rules"][0].pop("OverrideAction")
    strange["Resources"]["EdgeAcl"]["Properties"]["Rules"][0]["Action"] = {"Block": {}}
    with pytest.raises(AssertionError, match="does not enforce GeoMatchStatement"):
        edged.redeploy(strange)
    assert edged.get("/v1/airports", "").status_code == 503
    assert "GeoMatchStatement" in edged.log.read_text()
    edged.redeploy(build_edge_template(away))
    assert edged.get("/v1/airports", edged.fetch_token("ada")).status_code == 200
