"""Reads over HTTP as clients send them: read your writes, and lists by an index."""

import time
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.conftest import Person
from tests.stack.samples import airport, booking
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")


def test_a_client_reads_its_own_write_in_one_round_trip(person: Person) -> None:
    ada, eve = person("ada"), person("eve")
    written = ada.post("/v1/bookings", json=booking(seats=3))
    path = f"/v1/bookings/{written.json()['id']}"
    waiting: Any = {"params": {"version": written.json()["version"]}, "headers": {"Prefer": "wait=15"}, "timeout": 30}
    response = ada.get(path, **waiting)
    assert (response.status_code, response.json()["data"]["seats"]) == (200, 3)
    assert response.headers["Preference-Applied"] == "wait=15"
    deleted = ada.delete(path).json()["version"]
    after_delete = ada.get(path, params={"version": deleted}, headers={"Prefer": "wait=15"}, timeout=30)
    assert (after_delete.status_code, after_delete.headers["Content-Type"]) == (404, "application/problem+json")
    started = time.monotonic()
    too_early = eve.get(path, params={"version": deleted}, headers={"Prefer": "wait=1"})
    assert (too_early.status_code, too_early.json()["status"]) == (425, 425)
    assert 1 <= time.monotonic() - started < 10
    assert int(too_early.headers["Retry-After"]) >= 1


def run_on_replicas(stack: Stack, statement: str) -> None:
    for replica in stack.servers.replicas:
        with replica.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_client_gets_425_while_replication_is_stopped(stack: Stack, machine: httpx.Client) -> None:
    first = machine.put("/v1/airports/TLAG", json=airport("TLAG", city="first")).json()
    path, waiting = "/v1/airports/TLAG", {"Prefer": "wait=15"}
    assert machine.get(path, params={"version": first["version"]}, headers=waiting, timeout=30).status_code == 200
    run_on_replicas(stack, "STOP SLAVE SQL_THREAD")
    try:
        second = machine.put(path, json=airport("TLAG", city="second")).json()
        response = machine.get(path, params={"version": second["version"]}, headers={"Prefer": "wait=8"}, timeout=30)
        assert response.status_code == 425
        assert machine.get(path).json()["data"]["city"] == "first"
        assert machine.get(f"{path}/writes/{second['version']}").json()["status"] == "pending"
    finally:
        run_on_replicas(stack, "START SLAVE SQL_THREAD")
    response = machine.get(path, params={"version": second["version"]}, headers=waiting, timeout=30)
    assert response.json()["data"]["city"] == "second"


def test_a_list_by_an_index(machine: httpx.Client) -> None:
    heights = {f"TL{number:02}": float(number % 4) for number in range(10)}
    for code, height in heights.items():
        last = machine.put(f"/v1/airports/{code}", json=airport(code, country="ZZ", elevation=height)).json()
    eventually(lambda: len(machine.get("/v1/airports", params={"country": "ZZ"}).json()["items"]) == len(heights))
    assert last["status"] == "pending"
    response = machine.get("/v1/airports", params={"country": "ZZ", "sort": "-elevation", "limit": 3, "fields": "icao"})
    listed = [item["data"] for item in response.json()["items"]]
    while "next" in response.links:
        response = machine.get(str(response.url.join(response.links["next"]["url"])))
        listed += [item["data"] for item in response.json()["items"]]
    assert listed == [{"icao": code} for code in sorted(heights, key=lambda code: (heights[code], code), reverse=True)]
    assert machine.get("/v1/airports", params={"city": "Lisbon"}).json()["errors"][0]["field"] == "city"
    scan = machine.get("/v1/airports", params={"sort": "elevation"})
    assert (scan.status_code, "No index" in scan.json()["detail"]) == (400, True)
