"""Two persons on every route: neither can see, change or infer the items of the other, with or without a cache."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from local.stack import Stack
from sluice.ingest.item_body import new_item_id
from sluice.model.versions import new_version
from testkit.translate import TEMPLATE, read
from tests.stack.conftest import Person
from tests.stack.read_cache import mark_log_time, read_get_log, without_cache
from tests.stack.samples import booking
from tests.stack.waiting import eventually
from tools.api_definition.routes import ANY_METHOD

pytestmark = pytest.mark.stack("second")

PRIVATE = "/v1/bookings"
# The routes that the test below requests, after the collection. Add each new route here, and to the test.
TESTED_ROUTES = {
    ("get", ""),
    ("post", ""),
    ("get", "/{id}"),
    ("put", "/{id}"),
    ("delete", "/{id}"),
    ("get", "/{id}/writes/{version}"),
    (ANY_METHOD, ""),
    (ANY_METHOD, "/{id}"),
    (ANY_METHOD, "/{id}/writes/{version}"),
}


def test_every_route_to_items_is_tested() -> None:
    paths = read(TEMPLATE)["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    routes = {
        (method, path.removeprefix(PRIVATE))
        for path, methods in paths.items()
        for method in methods
        if path.startswith(PRIVATE)
    }
    assert routes == TESTED_ROUTES


@pytest.fixture(params=["with a cache", "without a cache"])
def cached(request: pytest.FixtureRequest, stack: Stack) -> Iterator[bool]:
    with without_cache(stack) if request.param == "without a cache" else nullcontext():
        yield request.param == "with a cache"


class User:
    """One of the two persons: a client, and the versions that it wrote."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.versions: dict[str, str] = {}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.client.request(method, f"{PRIVATE}{path}", **options)

    def write(self, method: str, path: str, **options: Any) -> str:
        """Write an item, and return its id."""
        response = self.request(method, path, **options)
        assert response.status_code == 202, response.text
        receipt = response.json()
        self.versions[receipt["id"]] = receipt["version"]
        return str(receipt["id"])

    def wait_until_applied(self) -> None:
        """Return when all its writes are applied."""
        for item_id, version in self.versions.items():
            path = f"/{item_id}/writes/{version}"
            eventually(lambda path=path: self.request("GET", path).json()["status"] == "applied")  # type: ignore[misc]

    def read_state(self, item_id: str) -> tuple[int, Any]:
        response = self.request("GET", f"/{item_id}")
        return response.status_code, response.json().get("data")

    def read_item(self, item_id: str) -> tuple[str, str | None]:
        response = self.request("GET", f"/{item_id}")
        return response.text, response.headers.get("ETag")

    def list_ids(self) -> list[str]:
        return [item["id"] for item in self.request("GET", "").json()["items"]]


def remove_names(response: httpx.Response, *names: str) -> tuple[Any, ...]:
    """Everything in a response except the requested names, times, and Retry-After."""
    text = response.text
    headers = {
        name: value
        for name, value in response.headers.items()
        if not re.match(r"date|retry-after|x-amz|server|content-length", name) and "trace" not in name
    }
    for name in names:
        text = text.replace(name, "NAME")
        headers = {header: value.replace(name, "NAME") for header, value in headers.items()}
    return response.status_code, re.sub(r'"version":"\w{26}"', "", text), headers


def test_neither_can_see_change_or_infer_the_items_of_the_other(stack: Stack, person: Person, cached: bool) -> None:
    mark = new_item_id()[-6:]
    ada, eve = (User(person(f"{name}-{mark}")) for name in ("ada", "eve"))
    started = mark_log_time()
    key = {"Idempotency-Key": mark}
    adas_id = ada.write("POST", "", json=booking(passenger="Ada"), headers=key)
    assert eve.write("POST", "", json=booking(passenger="Eve"), headers=key) != adas_id
    shared_id = new_item_id()
    for user, name in ((ada, "Ada"), (eve, "Eve")):
        user.write("PUT", f"/{shared_id}", json=booking(passenger=name))
    gone = ada.write("POST", "", json=booking(passenger="Ada, gone"))
    for user in (ada, eve):
        user.wait_until_applied()
    ada.write("DELETE", f"/{gone}")
    ada.wait_until_applied()
    states = [(ada.read_state(item), eve.read_state(item)) for _ in range(3) for item in (adas_id, shared_id, gone)]
    assert states[:3] == states[3:6] == states[6:]
    assert [adas[0] for adas, _ in states[:3]] == [200, 200, 404]
    assert [mine[1]["passenger"] for mine in states[1]] == ["Ada", "Eve"]
    tag = ada.request("GET", f"/{adas_id}").headers["ETag"]
    page = ada.request("GET", "", params={"limit": 1}).json()

    # For Eve, an existing item of Ada gets the same response as an id that was never used.
    never, version = new_item_id(), new_version()
    for item in (adas_id, gone):
        theirs = ada.versions[item]
        for of_item, of_version in ((item, theirs), (item, version)):
            for method, path, options in (
                ("GET", "/{}", {}),
                ("GET", "/{}", {"headers": {"If-None-Match": tag}}),
                ("GET", "/{}", {"headers": {"If-None-Match": "*"}}),
                ("GET", "/{}", {"headers": {"Cache-Control": "only-if-cached"}}),
                ("GET", "/{}?version={}", {}),
                ("GET", "/{}?version={}", {"headers": {"Prefer": "wait=0"}}),
                ("GET", "/{}/writes/{}", {}),
                ("POST", "/{}", {"json": booking()}),
                ("PATCH", "/{}", {"json": booking()}),
                ("POST", "/{}/writes/{}", {"json": booking()}),
            ):
                response = eve.request(method, path.format(of_item, of_version), **options)
                other = eve.request(method, path.format(never, of_version), **options)
                assert remove_names(response, item, theirs, version) == remove_names(other, never, theirs, version), (
                    method,
                    path,
                )
                assert response.status_code != 403
                assert "Ada" not in response.text
    assert eve.request("GET", f"/{adas_id}").status_code == 404
    assert not {adas_id, gone} & set(eve.list_ids())
    stolen = eve.request("GET", "", params={"limit": 1, "after": page["next"]})
    assert remove_names(stolen) == remove_names(
        eve.request("GET", "", params={"limit": 1, "after": page["next"][::-1]})
    )
    assert stolen.status_code == 400
    assert eve.request("GET", f"/{shared_id}", params={"version": ada.versions[shared_id]}).status_code in {200, 425}
    assert eve.request("GET", f"/{shared_id}/writes/{ada.versions[shared_id]}").json()["status"] in {
        "pending",
        "superseded",
    }

    # What Eve writes with the same ids are her own items.
    before = [ada.read_item(item) for item in (adas_id, shared_id, gone)]
    listed = ada.list_ids()
    deleted, put = eve.request("DELETE", f"/{adas_id}"), eve.request("PUT", f"/{gone}", json=booking(passenger="Eve"))
    assert remove_names(deleted, adas_id, deleted.json()["version"]) == _delete_unused_id(eve)
    eve.versions |= {adas_id: deleted.json()["version"], gone: put.json()["version"]}
    eve.write("DELETE", f"/{shared_id}")
    eve.wait_until_applied()
    for _ in range(2):
        assert before == [ada.read_item(item) for item in (adas_id, shared_id, gone)]
        assert [eve.read_state(item)[0] for item in (adas_id, shared_id, gone)] == [404, 404, 200]
        assert ada.list_ids() == listed
    assert ada.request("GET", f"/{adas_id}/writes/{eve.versions[adas_id]}").json()["status"] == "pending"
    cache_results = {str(line.get("cache", "")) for line in read_get_log(stack, started)}
    assert ("hit" in cache_results) == cached, cache_results


def _delete_unused_id(someone: User) -> tuple[Any, ...]:
    never = new_item_id()
    response = someone.request("DELETE", f"/{never}")
    return remove_names(response, never, response.json()["version"])
