"""Two persons, every route: nothing of one is seen, changed or inferred by the other, with a read cache and without."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
import yaml

from local.stack import Stack
from local.stack.parameters import CloudFormationLoader
from local.stack.sam import TEMPLATE
from sluice.ingest.item_body import new_item_id
from sluice.model.versions import new_version
from tests.stack.conftest import Person
from tests.stack.read_cache import mark_log_time, read_get_log, without_cache
from tests.stack.samples import booking
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second")

PRIVATE = "/v1/bookings"
# What the test below asks; a route that is new to the template must come to stand here, and be asked.
TESTED_ROUTES = {
    ("GET", "/v1/{collection}"),
    ("POST", "/v1/{collection}"),
    ("GET", "/v1/{collection}/{id}"),
    ("PUT", "/v1/{collection}/{id}"),
    ("DELETE", "/v1/{collection}/{id}"),
    ("GET", "/v1/{collection}/{id}/writes/{version}"),
    ("ANY", "/v1/{collection}"),
    ("ANY", "/v1/{collection}/{id}"),
    ("ANY", "/v1/{collection}/{id}/writes/{version}"),
}


def test_every_route_to_items_is_asked() -> None:
    template = yaml.load(TEMPLATE.read_text(), Loader=CloudFormationLoader)
    events = [
        event["Properties"]
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    assert {(one["Method"], one["Path"]) for one in events if "{collection}" in one["Path"]} == TESTED_ROUTES


@pytest.fixture(params=["with a cache", "without a cache"])
def cached(request: pytest.FixtureRequest, stack: Stack) -> Iterator[bool]:
    with without_cache(stack) if request.param == "without a cache" else nullcontext():
        yield request.param == "with a cache"


class User:
    """One of the two: a client, and what it holds."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.versions: dict[str, str] = {}

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, f"{PRIVATE}{path}", **more)

    def write(self, method: str, path: str, **more: Any) -> str:
        """Write, and return the id."""
        answer = self.request(method, path, **more)
        assert answer.status_code == 202, answer.text
        found = answer.json()
        self.versions[found["id"]] = found["version"]
        return str(found["id"])

    def wait_until_applied(self) -> None:
        """Return when all that it wrote is there to be read."""
        for item_id, version in self.versions.items():
            path = f"/{item_id}/writes/{version}"
            eventually(lambda path=path: self.request("GET", path).json()["status"] == "applied")  # type: ignore[misc]

    def read_state(self, item_id: str) -> tuple[int, Any]:
        answer = self.request("GET", f"/{item_id}")
        return answer.status_code, answer.json().get("data")

    def read_item(self, item_id: str) -> tuple[str, str | None]:
        answer = self.request("GET", f"/{item_id}")
        return answer.text, answer.headers.get("ETag")

    def list_ids(self) -> list[str]:
        return [item["id"] for item in self.request("GET", "").json()["items"]]


def remove_names(answer: httpx.Response, *names: str) -> tuple[Any, ...]:
    """All that an answer tells but the names that were asked for, moments, and how soon to ask again."""
    text = answer.text
    headers = {
        name: value
        for name, value in answer.headers.items()
        if not re.match(r"date|retry-after|x-amz|server|content-length", name) and "trace" not in name
    }
    for name in names:
        text = text.replace(name, "NAME")
        headers = {one: value.replace(name, "NAME") for one, value in headers.items()}
    return answer.status_code, re.sub(r'"version":"\w{26}"', "", text), headers


def test_nothing_of_one_is_seen_changed_or_inferred_by_the_other(stack: Stack, person: Person, cached: bool) -> None:
    mark = new_item_id()[-6:]
    ada, eve = (User(person(f"{name}-{mark}")) for name in ("ada", "eve"))
    began = mark_log_time()
    key = {"Idempotency-Key": mark}
    hers = ada.write("POST", "", json=booking(passenger="Ada"), headers=key)
    assert eve.write("POST", "", json=booking(passenger="Eve"), headers=key) != hers
    both = new_item_id()
    for one, name in ((ada, "Ada"), (eve, "Eve")):
        one.write("PUT", f"/{both}", json=booking(passenger=name))
    gone = ada.write("POST", "", json=booking(passenger="Ada, gone"))
    for one in (ada, eve):
        one.wait_until_applied()
    ada.write("DELETE", f"/{gone}")
    ada.wait_until_applied()
    seen = [(ada.read_state(item), eve.read_state(item)) for _ in range(3) for item in (hers, both, gone)]
    assert seen[:3] == seen[3:6] == seen[6:]
    assert [one[0] for (one, _) in seen[:3]] == [200, 200, 404]
    assert [mine[1]["passenger"] for mine in seen[1]] == ["Ada", "Eve"]
    tag = ada.request("GET", f"/{hers}").headers["ETag"]
    page = ada.request("GET", "", params={"limit": 1}).json()

    # What there is answers her as what never was.
    never, version = new_item_id(), new_version()
    for item in (hers, gone):
        theirs = ada.versions[item]
        for of_item, of_version in ((item, theirs), (item, version)):
            for method, path, more in (
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
                answer = eve.request(method, path.format(of_item, of_version), **more)
                other = eve.request(method, path.format(never, of_version), **more)
                assert remove_names(answer, item, theirs, version) == remove_names(other, never, theirs, version), (
                    method,
                    path,
                )
                assert answer.status_code != 403
                assert "Ada" not in answer.text
    assert eve.request("GET", f"/{hers}").status_code == 404
    assert not {hers, gone} & set(eve.list_ids())
    stolen = eve.request("GET", "", params={"limit": 1, "after": page["next"]})
    assert remove_names(stolen) == remove_names(
        eve.request("GET", "", params={"limit": 1, "after": page["next"][::-1]})
    )
    assert stolen.status_code == 400
    assert eve.request("GET", f"/{both}", params={"version": ada.versions[both]}).status_code in {200, 425}
    assert eve.request("GET", f"/{both}/writes/{ada.versions[both]}").json()["status"] in {"pending", "superseded"}

    # What she writes, she writes of her own.
    before = [ada.read_item(item) for item in (hers, both, gone)]
    listed = ada.list_ids()
    deleted, put = eve.request("DELETE", f"/{hers}"), eve.request("PUT", f"/{gone}", json=booking(passenger="Eve"))
    assert remove_names(deleted, hers, deleted.json()["version"]) == _delete_unused_id(eve)
    eve.versions |= {hers: deleted.json()["version"], gone: put.json()["version"]}
    eve.write("DELETE", f"/{both}")
    eve.wait_until_applied()
    for _ in range(2):
        assert before == [ada.read_item(item) for item in (hers, both, gone)]
        assert [eve.read_state(item)[0] for item in (hers, both, gone)] == [404, 404, 200]
        assert ada.list_ids() == listed
    assert ada.request("GET", f"/{hers}/writes/{eve.versions[hers]}").json()["status"] == "pending"
    of_cache = {str(line.get("cache", "")) for line in read_get_log(stack, began)}
    assert ("hit" in of_cache) == cached, of_cache


def _delete_unused_id(someone: User) -> tuple[Any, ...]:
    never = new_item_id()
    answer = someone.request("DELETE", f"/{never}")
    return remove_names(answer, never, answer.json()["version"])
