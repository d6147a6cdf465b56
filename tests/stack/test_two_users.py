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
ASKED = {
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
    assert {(one["Method"], one["Path"]) for one in events if "{collection}" in one["Path"]} == ASKED


@pytest.fixture(params=["with a cache", "without a cache"])
def cached(request: pytest.FixtureRequest, stack: Stack) -> Iterator[bool]:
    with without_cache(stack) if request.param == "without a cache" else nullcontext():
        yield request.param == "with a cache"


class Someone:
    """One of the two: a client, and what it holds."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.versions: dict[str, str] = {}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, f"{PRIVATE}{path}", **more)

    def write(self, method: str, path: str, **more: Any) -> str:
        """Write, and return the id."""
        answer = self.ask(method, path, **more)
        assert answer.status_code == 202, answer.text
        found = answer.json()
        self.versions[found["id"]] = found["version"]
        return str(found["id"])

    def settled(self) -> None:
        """Return when all that it wrote is there to be read."""
        for item_id, version in self.versions.items():
            path = f"/{item_id}/writes/{version}"
            eventually(lambda path=path: self.ask("GET", path).json()["status"] == "applied")  # type: ignore[misc]

    def state(self, item_id: str) -> tuple[int, Any]:
        answer = self.ask("GET", f"/{item_id}")
        return answer.status_code, answer.json().get("data")

    def shown(self, item_id: str) -> tuple[str, str | None]:
        answer = self.ask("GET", f"/{item_id}")
        return answer.text, answer.headers.get("ETag")

    def ids(self) -> list[str]:
        return [item["id"] for item in self.ask("GET", "").json()["items"]]


def told(answer: httpx.Response, *names: str) -> tuple[Any, ...]:
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
    ada, eve = (Someone(person(f"{name}-{mark}")) for name in ("ada", "eve"))
    began = mark_log_time()
    key = {"Idempotency-Key": mark}
    hers = ada.write("POST", "", json=booking(passenger="Ada"), headers=key)
    assert eve.write("POST", "", json=booking(passenger="Eve"), headers=key) != hers
    both = new_item_id()
    for one, name in ((ada, "Ada"), (eve, "Eve")):
        one.write("PUT", f"/{both}", json=booking(passenger=name))
    gone = ada.write("POST", "", json=booking(passenger="Ada, gone"))
    for one in (ada, eve):
        one.settled()
    ada.write("DELETE", f"/{gone}")
    ada.settled()
    seen = [(ada.state(item), eve.state(item)) for _ in range(3) for item in (hers, both, gone)]
    assert seen[:3] == seen[3:6] == seen[6:]
    assert [one[0] for (one, _) in seen[:3]] == [200, 200, 404]
    assert [mine[1]["passenger"] for mine in seen[1]] == ["Ada", "Eve"]
    tag = ada.ask("GET", f"/{hers}").headers["ETag"]
    page = ada.ask("GET", "", params={"limit": 1}).json()

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
                answer = eve.ask(method, path.format(of_item, of_version), **more)
                other = eve.ask(method, path.format(never, of_version), **more)
                assert told(answer, item, theirs, version) == told(other, never, theirs, version), (method, path)
                assert answer.status_code != 403
                assert "Ada" not in answer.text
    assert eve.ask("GET", f"/{hers}").status_code == 404
    assert not {hers, gone} & set(eve.ids())
    stolen = eve.ask("GET", "", params={"limit": 1, "after": page["next"]})
    assert told(stolen) == told(eve.ask("GET", "", params={"limit": 1, "after": page["next"][::-1]}))
    assert stolen.status_code == 400
    assert eve.ask("GET", f"/{both}", params={"version": ada.versions[both]}).status_code in {200, 425}
    assert eve.ask("GET", f"/{both}/writes/{ada.versions[both]}").json()["status"] in {"pending", "superseded"}

    # What she writes, she writes of her own.
    before = [ada.shown(item) for item in (hers, both, gone)]
    listed = ada.ids()
    deleted, put = eve.ask("DELETE", f"/{hers}"), eve.ask("PUT", f"/{gone}", json=booking(passenger="Eve"))
    assert told(deleted, hers, deleted.json()["version"]) == _deleted_never(eve)
    eve.versions |= {hers: deleted.json()["version"], gone: put.json()["version"]}
    eve.write("DELETE", f"/{both}")
    eve.settled()
    for _ in range(2):
        assert before == [ada.shown(item) for item in (hers, both, gone)]
        assert [eve.state(item)[0] for item in (hers, both, gone)] == [404, 404, 200]
        assert ada.ids() == listed
    assert ada.ask("GET", f"/{hers}/writes/{eve.versions[hers]}").json()["status"] == "pending"
    of_cache = {str(line.get("cache", "")) for line in read_get_log(stack, began)}
    assert ("hit" in of_cache) == cached, of_cache


def _deleted_never(someone: Someone) -> tuple[Any, ...]:
    never = new_item_id()
    answer = someone.ask("DELETE", f"/{never}")
    return told(answer, never, answer.json()["version"])
