"""The main use case: a write over HTTP is read back from the replica."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import urljoin, urlparse
from uuid import uuid4

import httpx
import pytest

from local.stack import Stack
from tests.stack.conftest import Person
from tests.stack.samples import airport, booking
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")


def read_version(client: httpx.Client, path: str, version: str) -> httpx.Response | None:
    response = client.get(path)
    return response if response.status_code == 200 and response.json()["version"] >= version else None


def test_a_put_comes_back_from_the_replica(machine: httpx.Client) -> None:
    sent = airport("TPUT", name="Ωmega “Air” \\ \t field", lat=-0.1)
    accepted = machine.put("/v1/airports/TPUT", json=sent)
    assert accepted.status_code == 202
    receipt = accepted.json()
    assert (receipt["id"], receipt["status"]) == ("TPUT", "pending")
    assert int(accepted.headers["Retry-After"]) > 0
    response = eventually(lambda: read_version(machine, "/v1/airports/TPUT", receipt["version"]))
    assert response.json()["data"] == sent
    assert response.headers["ETag"] == f'"{receipt["version"]}"'
    cached = machine.get("/v1/airports/TPUT", headers={"If-None-Match": response.headers["ETag"]})
    assert (cached.status_code, cached.content, cached.headers["ETag"]) == (304, b"", response.headers["ETag"])


def test_a_post_creates_an_item_for_its_owner_only(person: Person) -> None:
    # Persons without other bookings, so that the item is on the first page of the list.
    ada, eve = (person(f"{name}-{uuid4().hex[:8]}") for name in ("ada", "eve"))
    accepted = ada.post("/v1/bookings", json=booking())
    receipt = accepted.json()
    path = f"/v1/bookings/{receipt['id']}"
    assert urljoin("https://host/live/v1/bookings", accepted.headers["Location"]) == f"https://host/live{path}"
    response = eventually(lambda: read_version(ada, path, receipt["version"]))
    assert response.json()["data"] == booking()
    assert eve.get(path).status_code == 404
    assert receipt["id"] not in eve.get("/v1/bookings").text
    assert receipt["id"] in ada.get("/v1/bookings").text


def test_a_receipt_reports_the_state_of_a_write(person: Person) -> None:
    ada, eve = person("ada"), person("eve")
    first = ada.post("/v1/bookings", json=booking())
    address = urlparse(urljoin(str(first.request.url), first.json()["receipt"])).path.partition("/v1/")[2]
    assert address == f"bookings/{first.json()['id']}/writes/{first.json()['version']}"
    path = f"/v1/{address}"
    assert first.links["status"]["url"] == first.json()["receipt"]
    assert ada.get(path).json()["status"] in {"pending", "applied"}
    eventually(lambda: ada.get(path).json()["status"] == "applied")
    second = ada.delete(f"/v1/bookings/{first.json()['id']}").json()["version"]
    eventually(lambda: ada.get(path).json()["status"] == "superseded")
    assert ada.get(path).json()["superseded_by"] == second
    assert eve.get(path).json()["status"] == "pending"


def test_the_write_of_another_owner_to_the_same_id_does_not_change_the_item(person: Person) -> None:
    ada, eve = person("ada"), person("eve")
    mine = ada.post("/v1/bookings", json=booking(passenger="mine")).json()
    path = f"/v1/bookings/{mine['id']}"
    theirs = eve.put(path, json=booking(passenger="theirs")).json()
    eve.delete(path)
    assert eventually(lambda: read_version(ada, path, mine["version"])).json()["data"]["passenger"] == "mine"
    eventually(lambda: eve.get(path).status_code == 404)
    assert read_version(ada, path, mine["version"]) is not None
    assert theirs["version"] > mine["version"]


def test_a_repeated_post_with_an_idempotency_key_returns_the_same_item(person: Person) -> None:
    ada, key = person("ada"), uuid4().hex
    first, repeated = (
        ada.post("/v1/bookings", json=booking(), headers={"Idempotency-Key": key}).json() for _ in range(2)
    )
    assert first["id"] == repeated["id"]
    other = person("eve").post("/v1/bookings", json=booking(), headers={"Idempotency-Key": key}).json()
    assert other["id"] != first["id"]


def test_a_delete_removes_the_item_and_a_later_put_restores_it(machine: httpx.Client) -> None:
    path = "/v1/airports/TDEL"
    first = machine.put(path, json=airport("TDEL")).json()
    eventually(lambda: read_version(machine, path, first["version"]))
    assert machine.delete(path).status_code == 202
    eventually(lambda: machine.get(path).status_code == 404)
    repeated = machine.put(path, json=airport("TDEL", city="again")).json()
    assert eventually(lambda: read_version(machine, path, repeated["version"])).json()["data"]["city"] == "again"


def test_a_list_returns_every_item_once_page_by_page(person: Person) -> None:
    writer = person(f"lister-{uuid4().hex[:8]}")
    sent = {writer.post("/v1/bookings", json=booking(seats=n)).json()["id"] for n in range(1, 8)}
    eventually(lambda: len(writer.get("/v1/bookings").json()["items"]) == len(sent))
    listed: list[str] = []
    after = ""
    while True:
        page = writer.get("/v1/bookings", params={"limit": 3, "after": after}).json()
        assert len(page["items"]) <= 3
        listed += [item["id"] for item in page["items"]]
        if "next" not in page:
            break
        after = page["next"]
    assert sorted(listed) == sorted(sent) == sorted(set(listed))


def test_an_invalid_record_goes_to_the_error_prefix_and_others_are_loaded(stack: Stack, machine: httpx.Client) -> None:
    marker = uuid4().hex
    stack.aws_client("firehose").put_record(
        DeliveryStreamName=stack.outputs["StreamName"], Record={"Data": json.dumps({"no": marker}).encode()}
    )
    receipt = machine.put("/v1/airports/TBAD", json=airport("TBAD")).json()
    eventually(lambda: read_version(machine, "/v1/airports/TBAD", receipt["version"]))
    assert eventually(lambda: _find_failed_record(stack, marker))


def _find_failed_record(stack: Stack, marker: str) -> Any:
    s3, bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="errors/").get("Contents", []):
        content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        for line in text.splitlines():
            if marker in base64.b64decode(json.loads(line)["rawData"]).decode():
                return json.loads(line)
    return None
