"""The edge enforces the configuration of the project's own template. Without one of its rules, a copy of the template
leaks or lets through."""

import copy
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from testkit.edge_template import Template, build_edge_template
from testkit.emulator_harness import StackFailedError, deploy_stack
from tests.edge.conftest import DeployedEdge, DeployEdge
from tests.emulator.metric_reader import MetricReader
from tests.template.breaks import Break
from tests.template.edge_breaks import cache_method, drop_cache_key

LIST = "/v1/bookings?limit=10"


@pytest.fixture(scope="module")
def outage_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file exists, the function responds 503."""
    return tmp_path_factory.mktemp("switch") / "outage"


@pytest.fixture(scope="module")
def template(outage_file: Path) -> Template:
    return build_edge_template(outage_file, ApiCacheSize="0.5", ApiCacheSeconds="60")


@pytest.fixture(scope="module")
def edge(deploy_edge: DeployEdge, template: Template) -> DeployedEdge:
    return deploy_edge("as-it-is", template)


def _fetch_owners(edge: DeployedEdge, path: str = LIST) -> list[str]:
    """The owners of the items that two persons get at the same private URL, each person twice."""
    ada, eve = edge.fetch_token("ada"), edge.fetch_token("eve")
    return [edge.get(path, token).json()["owner"] for token in (ada, eve, ada, eve)]


def _change(template: Template, change: Break) -> Template:
    copied: Template = json.loads(json.dumps(template))
    change(copied["Resources"])
    return copied


def test_two_persons_never_get_each_others_answer(edge: DeployedEdge) -> None:
    first, second, *repeated = _fetch_owners(edge)
    assert first != second
    assert repeated == [first, second]


def test_requests_and_decisions_are_counted(edge: DeployedEdge) -> None:
    metrics = MetricReader(edge.emulator)
    distribution = {"DistributionId": edge.outputs["DistributionId"], "Region": "Global"}

    def read() -> dict[str, float]:
        httpx.post(f"{edge.stage_url}/_edge/send", timeout=30, trust_env=False)
        requests = {
            name: metrics.read(f"AWS/CloudFront:{name}", **distribution) or 0 for name in ("Requests", "4xxErrorRate")
        }
        acl = {"WebACL": f"{edge.name}-edge"}
        return requests | {
            name: metrics.read(f"AWS/WAFV2:{name}", Rule="ALL", **acl) or 0
            for name in ("AllowedRequests", "BlockedRequests")
        }

    before = read()
    token = edge.fetch_token("ada")
    assert [edge.get("/v1/airports/KEEP", token).status_code for _ in range(2)] == [200, 200]
    refused = httpx.put(f"{edge.url}/v1/airports/KEEP", content=b"x" * 7_000_000, timeout=30, trust_env=False)
    assert refused.status_code >= 400
    changes = {name: value - before[name] for name, value in read().items()}
    assert changes == {"Requests": 3, "4xxErrorRate": 100, "AllowedRequests": 2, "BlockedRequests": 1}


def test_a_template_that_caches_a_private_list_leaks(deploy_edge: DeployEdge, template: Template) -> None:
    first, second, *_ = _fetch_owners(deploy_edge("cached-private", _change(template, cache_method("/v1/bookings"))))
    assert first == second


@pytest.mark.parametrize("path", ["/v1/airports/KEEP", "/v1/airports?limit=10"])
def test_one_cached_answer_of_a_shared_collection_serves_every_caller(edge: DeployedEdge, path: str) -> None:
    ada, eve = edge.fetch_token("ada"), edge.fetch_token("eve")
    assert len({edge.get(path, token).json()["time_ns"] for token in (ada, eve, ada, eve)}) == 1
    # The authorizer comes before the cache.
    assert [edge.get(path, token).status_code for token in ("", "no.valid.token")] == [401, 401]


@pytest.mark.parametrize("path", ["/v1/bookings/KEEP", LIST, "/v1/airports/KEEP/writes/01M83TX6AKPEC90XWTBJRZ90MF"])
def test_private_answers_and_receipts_are_never_cached(edge: DeployedEdge, path: str) -> None:
    ada = edge.fetch_token("ada")
    assert len({edge.get(path, ada).json()["time_ns"] for _ in range(3)}) == 3


# Each request, and another that must not get its answer.
DIFFERENT = {
    "unknown parameter": ("?colour=red", ""),
    "repeated parameter": ("?version=A&version=B", "?version=B"),
    "empty parameter": ("?version=", ""),
    "version": ("?version=A", ""),
    "version of another": ("?version=A", "?version=B"),
}


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
@pytest.mark.parametrize("digest", ["", hashlib.sha256(b"").hexdigest()], ids=["", "with a digest of the client"])
def test_no_request_gets_the_answer_to_another_query(edge: DeployedEdge, first: str, second: str, digest: str) -> None:
    path, ada = f"/v1/airports/{uuid4().hex}", edge.fetch_token("ada")
    sent = {"x_query_digest": digest} if digest else {}
    times = [edge.get(path + query, ada, **sent).json()["time_ns"] for query in (first, second, first)]
    assert times[0] != times[1]
    assert times[0] == times[2]


def test_a_read_that_waits_has_an_answer_of_its_own(edge: DeployedEdge) -> None:
    ada, path = edge.fetch_token("ada"), "/v1/airports/WAIT?version=A"
    times = [edge.get(path, ada, **sent).json()["time_ns"] for sent in ({}, {"Prefer": "wait=5"}, {})]
    assert (times[0] == times[2], times[0] == times[1]) == (True, False)


def test_without_the_digest_a_faulty_query_leaves_its_answer_to_others(
    deploy_edge: DeployEdge, template: Template
) -> None:
    path = "/v1/airports/{id}"
    edge = deploy_edge("no-digest", _change(template, drop_cache_key("method.request.header.x-query-digest", path)))
    ada, item = edge.fetch_token("ada"), "/v1/airports/EDDF"
    assert edge.get(f"{item}?colour=red", ada).json() == edge.get(item, ada).json()


def test_both_caches_serve_one_caller_again(edge: DeployedEdge) -> None:
    ada = edge.fetch_token("ada")
    times = {edge.get("/v1/airports?limit=20", ada).json()["time_ns"] for _ in range(3)}
    assert len(times) == 1
    others = {edge.get(f"/v1/airports?limit={limit}", ada).json()["time_ns"] for limit in (21, 22)}
    assert len(others | times) == 3


def test_a_template_without_the_caller_in_cloudfronts_key_leaks(deploy_edge: DeployEdge, outage_file: Path) -> None:
    """The leak needs a response that a shared cache may store. The service forbids that for private items, so the cache
    key is a second line of defence."""
    cacheable = build_edge_template(outage_file, cache_control="max-age=60", ApiCacheSize="off")
    first, second, *repeated = _fetch_owners(deploy_edge("cacheable", cacheable))
    assert ([first, second], first != second) == (repeated, True)
    headers = cacheable["Resources"]["SharedCachePolicy"]["Properties"]["CachePolicyConfig"]
    headers["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"].remove("Authorization")
    first, second, *_ = _fetch_owners(deploy_edge("cacheable-without-key", cacheable))
    assert first == second


def test_a_caller_with_a_current_copy_gets_304(edge: DeployedEdge) -> None:
    ada = edge.fetch_token("ada")
    item = edge.get("/v1/airports/EDDF", ada, cookie="a=b")
    again = edge.get("/v1/airports/EDDF", ada, cookie="a=b", if_none_match=item.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_two_stacks_of_one_name_in_two_regions_are_deployed(edge: DeployedEdge, template: Template) -> None:
    """CloudFront has one list of policies for all Regions of an account."""
    policies = {name: template["Resources"][name] for name in ("SharedCachePolicy", "ViewerRequest", "SecurityHeaders")}
    elsewhere = replace(edge.emulator, region="eu-west-1")
    conditions = {name: template[name] for name in ("Parameters", "Conditions")}
    deploy_stack(elsewhere, edge.name, {**conditions, "Resources": policies})
    named = copy.deepcopy(policies)
    named["SharedCachePolicy"]["Properties"]["CachePolicyConfig"]["Name"] = {"Fn::Sub": "${AWS::StackName}-shared"}
    deploy_stack(edge.emulator, "same-name", {**conditions, "Resources": named})
    with pytest.raises(StackFailedError, match="already exists"):
        deploy_stack(elsewhere, "same-name", {**conditions, "Resources": named})


def test_a_direct_call_is_rejected_with_a_problem_document(edge: DeployedEdge) -> None:
    ada = edge.fetch_token("ada")
    for headers in ({}, {"x_origin_verify": "guessed"}, {"x_origin_verify": ""}):
        rejected = edge.get_from_stage("/v1/airports", ada, **headers)
        assert (rejected.status_code, rejected.headers["Content-Type"]) == (403, "application/problem+json")
        assert rejected.json()["status"] == 403
    assert edge.get("/v1/airports", ada).status_code == 200
    # A header of that name from the viewer never reaches the API.
    assert edge.get("/v1/airports", ada, x_origin_verify="guessed").status_code == 200


def test_the_secret_is_rotated_without_a_gap(deploy_edge: DeployEdge, outage_file: Path) -> None:
    edge = deploy_edge("rotated", build_edge_template(outage_file))
    ada, secrets = edge.fetch_token("ada"), edge.emulator.client("secretsmanager")
    [identifier] = [
        resource["PhysicalResourceId"]
        for resource in edge.emulator.client("cloudformation").describe_stack_resources(StackName="rotated")[
            "StackResources"
        ]
        if resource["LogicalResourceId"] == "OriginSecret"
    ]
    old = secrets.get_secret_value(SecretId=identifier)
    new = secrets.put_secret_value(SecretId=identifier, SecretString="n" * 64)["VersionId"]

    def is_accepted() -> list[bool]:
        direct = [
            edge.get_from_stage("/v1/airports", ada, x_origin_verify=s).status_code
            for s in (old["SecretString"], "n" * 64)
        ]
        assert edge.get("/v1/airports", ada).status_code == 200
        return [status == 200 for status in direct]

    accepted = [is_accepted()]
    for current, additional in ((old["VersionId"], new), (new, old["VersionId"]), (new, "")):
        edge.redeploy(build_edge_template(outage_file, OriginSecretVersion=current, OriginSecretAlso=additional))
        accepted.append(is_accepted())
    assert accepted == [[True, False], [True, True], [True, True], [False, True]]


def test_a_shared_item_stays_available_in_an_outage_and_a_private_one_does_not(
    deploy_edge: DeployEdge, outage_file: Path
) -> None:
    edge = deploy_edge("outage", build_edge_template(outage_file))
    ada, eve = edge.fetch_token("ada"), edge.fetch_token("eve")
    shared, private = "/v1/airports/EDDF", "/v1/bookings/one"
    before = edge.get(shared, ada)
    assert edge.get(private, ada).status_code == 200
    outage_file.touch()
    try:
        stale = edge.get(shared, ada)
        assert (stale.status_code, stale.json()) == (200, before.json())
        assert (stale.headers["X-Cache"], int(stale.headers["Age"]) >= 0) == ("RefreshHit from cloudfront", True)
        assert edge.get(private, ada).status_code == 503
        # A caller who never got it, or has no valid token, gets nothing.
        assert edge.get(shared, eve).status_code == 503
        assert edge.get(shared).status_code == 401
    finally:
        outage_file.unlink()
    assert [edge.get(path, token).status_code for path, token in ((shared, ada), (shared, eve), (private, ada))] == [
        200
    ] * 3


def test_a_changed_template_is_enforced_after_its_deploy(deploy_edge: DeployEdge, outage_file: Path) -> None:
    edge = deploy_edge("changed", build_edge_template(outage_file))
    ada = edge.fetch_token("ada")
    assert edge.get("/v1/airports?country=IS' or 1=1 --", ada).status_code == 403
    assert [edge.get("/v1/airports", ada).status_code for _ in range(3)] == [200] * 3

    limited = build_edge_template(outage_file, EdgeRateLimit="10")
    limited["Resources"]["EdgeAcl"]["Properties"]["Rules"] = [
        rule for rule in limited["Resources"]["EdgeAcl"]["Properties"]["Rules"] if rule["Name"] != "SqlInjection"
    ]
    edge.redeploy(limited)
    assert edge.get("/v1/airports?country=IS' or 1=1 --", ada).status_code == 200
    # The limit is 10 requests per address in 5 minutes, and 5 were sent before.
    responses = [edge.get("/v1/airports", ada) for _ in range(8)]
    assert [response.status_code for response in responses] == [200] * 5 + [429] * 3
    assert (responses[-1].headers["Retry-After"], responses[-1].json()["status"]) == ("60", 429)
    other = httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9"), trust_env=False)
    assert other.get(f"{edge.url}/v1/airports", headers={"Authorization": f"Bearer {ada}"}).status_code == 200


def _put_note(edge: DeployedEdge, path: str, note: str) -> httpx.Response:
    """Send an item whose field is the note. The API of this stack has no such method: what gets that far is a 404."""
    return httpx.put(edge.url + path, json={"note": note}, timeout=30, trust_env=False)


@pytest.mark.parametrize(
    ("path", "note", "detail"),
    [
        ("/v1/airports?country=IS' or 1=1 --", "", "refused the request"),
        ("/v1/airports/..%2f..%2fetc%2fpasswd", "", "refused the request"),
        ("/v1/airports/BIRK", "<script>alert(1)</script>", "refused the body"),
    ],
    ids=["query", "path", "body"],
)
def test_a_request_that_a_managed_rule_matches_gets_a_problem_document(
    edge: DeployedEdge, path: str, note: str, detail: str
) -> None:
    refused = _put_note(edge, path, note)
    assert (refused.status_code, refused.headers["Content-Type"]) == (403, "application/json")
    problem = refused.json()
    assert (problem["status"], problem["title"], detail in problem["detail"]) == (403, "Forbidden", True)


def test_the_body_of_a_collection_with_free_text_is_not_refused(deploy_edge: DeployEdge, outage_file: Path) -> None:
    edge = deploy_edge("free-text", build_edge_template(outage_file, FreeTextCollections="letters,remarks"))
    note = "<b>select</b> * from menu where 'a'='a'"
    assert [_put_note(edge, f"/v1/{path}", note).status_code for path in ("letters", "remarks/1", "remarks/a-b_c")] == [
        404
    ] * 3
    # Other parts of the request, other collections, and paths that only begin like one of these.
    for path in (
        "letters?sort=' or 1=1 --",
        "remarks/..%2f..%2fetc%2fpasswd",
        "letter",
        "remarks/1/writes/2",
        "x/letters",
    ):
        assert _put_note(edge, f"/v1/{path}", note).status_code == 403, path
    assert _put_note(edge, "/v1/letters", "x" * 9_000).status_code == 404


def test_an_unsupported_statement_blocks_every_request_until_it_is_removed(
    deploy_edge: DeployEdge, outage_file: Path
) -> None:
    edge = deploy_edge("refused", build_edge_template(outage_file))
    unsupported = build_edge_template(outage_file)
    unsupported["Resources"]["EdgeAcl"]["Properties"]["Rules"][0]["Statement"] = {
        "GeoMatchStatement": {"CountryCodes": ["IS"]}
    }
    unsupported["Resources"]["EdgeAcl"]["Properties"]["Rules"][0].pop("OverrideAction")
    unsupported["Resources"]["EdgeAcl"]["Properties"]["Rules"][0]["Action"] = {"Block": {}}
    with pytest.raises(AssertionError, match="does not enforce GeoMatchStatement"):
        edge.redeploy(unsupported)
    assert edge.get("/v1/airports", "").status_code == 503
    assert "GeoMatchStatement" in edge.log.read_text()
    edge.redeploy(build_edge_template(outage_file))
    assert edge.get("/v1/airports", edge.fetch_token("ada")).status_code == 200
