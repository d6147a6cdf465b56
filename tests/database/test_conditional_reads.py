"""A response that the client has stored is not sent again; every other response is sent."""

import datetime
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from sluice.model.record import Write
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.things import CODES, THINGS, delete, put

OTHER = "another-owner"


def code(item_id: str, text: str) -> Write:
    return put({"code": item_id, "text": text}, item_id, resource=CODES)


@pytest.fixture
def path(rig: Rig) -> str:
    """The path of a private item."""
    write = put({"label": "first"})
    rig.load(write)
    return f"things/{write.id}"


def test_the_validators_of_an_item_are_its_version_and_the_time_of_its_write(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "first"})
    rig.load(write)
    answer = reader.get(f"things/{write.id}")
    assert answer.headers["ETag"] == f'"{write.version}"'
    written = parsedate_to_datetime(answer.headers["Last-Modified"])
    assert written == write.accepted_at.replace(microsecond=0)
    assert written.tzinfo == datetime.UTC
    assert answer.headers["Last-Modified"].endswith(" GMT")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a,b" , W/{},"c"', "*", " * "])
def test_a_stored_response_is_not_sent(reader: ReadRig, path: str, form: str) -> None:
    before = reader.get(path)
    answer = reader.get(path, headers={"If-None-Match": form.format(before.headers["ETag"])})
    assert (answer.status, answer.body) == (304, None)
    assert answer.headers == {name: value for name, value in before.headers.items() if name != "Content-Type"}


@pytest.mark.parametrize(
    "form", ["", "version", '"', '"{}', "{} ", "W/", '"01M89PCJWQSDNCA7YMSCP0TMT5"', '"*"', '"x*"', "*, *"]
)
def test_a_response_that_is_not_stored_is_sent(reader: ReadRig, path: str, form: str) -> None:
    version = reader.get(path).body["version"]
    answer = reader.get(path, headers={"If-None-Match": form.format(version)})
    assert (answer.status, answer.body["data"]["label"]) == (200, "first")


def test_a_later_state_is_sent_and_so_is_its_deletion(rig: Rig, reader: ReadRig, path: str) -> None:
    conditional = {"If-None-Match": reader.get(path).headers["ETag"]}
    item_id = path.removeprefix("things/")
    rig.load(put({"label": "second"}, item_id))
    assert reader.get(path, headers=conditional).body["data"]["label"] == "second"
    rig.load(delete(item_id))
    assert reader.get(path, headers=conditional).status == 404
    assert reader.get(path, headers={"If-None-Match": "*"}).status == 404


def test_a_date_is_too_coarse_for_a_304(reader: ReadRig, path: str) -> None:
    answer = reader.get(path)
    assert reader.get(path, headers={"If-Modified-Since": answer.headers["Last-Modified"]}).status == 200


def test_an_etag_is_valid_for_one_owner(reader: ReadRig, path: str) -> None:
    conditional = {"If-None-Match": reader.get(path).headers["ETag"]}
    assert reader.get(path, headers=conditional, owner=OTHER).status == 404
    assert reader.get(path, headers={"If-None-Match": "*"}, owner=OTHER).status == 404


def test_a_later_revision_has_another_etag(rig: Rig, reader: ReadRig, path: str) -> None:
    before = reader.get(path)
    rig.resources = {**rig.resources, "things": replace(THINGS, revision=2)}
    answer = reader.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert (answer.status, answer.headers["ETag"]) == (200, f'"{before.body["version"]}.2"')


def test_the_etag_of_a_page_depends_on_its_content(rig: Rig, reader: ReadRig) -> None:
    rig.load(*(code(name, "x") for name in "ABC"))
    first = reader.get("codes", {"limit": "2"})
    conditional = {"If-None-Match": first.headers["ETag"]}
    assert reader.get("codes", {"limit": "2"}, headers=conditional).status == 304
    assert "Link" in reader.get("codes", {"limit": "2"}, headers=conditional).headers
    assert reader.get("codes", {"limit": "1"}, headers=conditional).status == 200
    rig.load(delete("A", resource=CODES))
    after = reader.get("codes", {"limit": "2"}, headers=conditional)
    assert (after.status, [item["id"] for item in after.body["items"]]) == (200, ["B", "C"])
    assert "Last-Modified" not in first.headers


@pytest.mark.parametrize("template", ["things", "things/{}", "codes", "codes/A"])
def test_a_cache_that_may_store_a_response_must_revalidate_it(rig: Rig, reader: ReadRig, template: str) -> None:
    write = put({"label": "first"})
    rig.load(write, code("A", "x"))
    headers = reader.get(template.format(write.id)).headers
    private = template.startswith("things")
    expected = "private, no-cache, stale-if-error=0" if private else "public, max-age=0, stale-if-error=600"
    assert headers["Cache-Control"] == expected
    assert headers.get("Vary") == ("Authorization" if private else None)


def test_no_cache_stores_a_404(reader: ReadRig, path: str) -> None:
    assert reader.get(path, owner=OTHER).headers["Cache-Control"] == "no-store"
