"""API Gateway's cache on the deployed stack: what is old, for how long, and what never is.

The local environment of samconfig.toml has the cache on, with the seconds of SECONDS.
"""

import time
from typing import Any

import httpx
import pytest

from local.stack import Stack
from ops.samconfig import read_parameters
from tests.stack.conftest import Person
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

PARAMETERS = read_parameters("local")
SECONDS = float(PARAMETERS["ApiCacheSeconds"])
WAITING = {"Prefer": "wait=15"}


def write(client: httpx.Client, code: str, **fields: Any) -> str:
    """Write an airport; returns the version."""
    response = client.put(f"/v1/airports/{code}", json=airport(code, **fields))
    assert response.status_code == 202, response.text
    return str(response.json()["version"])


def await_receipt(client: httpx.Client, code: str, version: str) -> None:
    receipt = f"/v1/airports/{code}/writes/{version}"
    eventually(lambda: client.get(receipt).json()["status"] == "applied")


def read_version(client: httpx.Client, code: str, version: str) -> httpx.Response:
    return client.get(f"/v1/airports/{code}", params={"version": version}, headers=WAITING, timeout=30)


def read_reader_log(stack: Stack, since: float) -> int:
    """How often the read function was invoked since a time."""
    group = stack.aws_client("lambda").get_function_configuration(FunctionName=stack.outputs["GetFunctionName"])
    pages = stack.aws_client("logs").get_paginator("filter_log_events")
    log = group["LoggingConfig"]["LogGroup"]
    return sum(
        '"get done"' in event["message"]
        for page in pages.paginate(logGroupName=log, startTime=int(since * 1000))
        for event in page["events"]
    )


def test_the_cache_is_on_and_one_read_of_the_function_serves_two_callers(stack: Stack, person: Person) -> None:
    assert PARAMETERS["ApiCacheSize"] != "off"
    editor, reader = person("grace", "editors"), person("ada")
    assert read_version(editor, "ZCAA", write(editor, "ZCAA")).status_code == 200
    time.sleep(SECONDS + 0.1)
    since = time.time()
    answers = [client.get("/v1/airports/ZCAA").json() for client in (editor, reader)]
    assert answers[0] == answers[1]
    assert eventually(lambda: read_reader_log(stack, since)) == 1


def test_a_read_with_a_version_is_never_old_and_a_plain_one_for_the_ttl_at_most(person: Person) -> None:
    editor, path = person("grace", "editors"), "/v1/airports/ZCAB"
    assert read_version(editor, "ZCAB", write(editor, "ZCAB", city="first")).status_code == 200
    # As if somebody read it all the time.
    assert editor.get(path).json()["data"]["city"] == "first"
    version = write(editor, "ZCAB", city="second")
    assert read_version(editor, "ZCAB", version).json()["data"]["city"] == "second"
    await_receipt(editor, "ZCAB", version)
    applied = time.monotonic()
    eventually(lambda: editor.get(path).json()["data"]["city"] == "second", SECONDS + 1)
    assert time.monotonic() - applied <= SECONDS + 1


def test_a_404_lasts_for_the_ttl_at_most(person: Person) -> None:
    editor, path = person("grace", "editors"), "/v1/airports/ZCAC"
    assert editor.get(path).status_code == 404
    version = write(editor, "ZCAC")
    await_receipt(editor, "ZCAC", version)
    applied = time.monotonic()
    eventually(lambda: editor.get(path).is_success, SECONDS + 1)
    assert time.monotonic() - applied <= SECONDS + 1


def test_an_error_of_one_request_is_not_the_answer_to_another(person: Person) -> None:
    editor, path = person("grace", "editors"), "/v1/airports/ZCAD"
    version = write(editor, "ZCAD")
    assert read_version(editor, "ZCAD", version).status_code == 200
    for faulty in ("?colour=red", "?version=", f"?version={version}&version={version}"):
        time.sleep(SECONDS + 0.1)
        assert editor.get(path + faulty).status_code == 400
        assert editor.get(path).status_code == 200
        assert editor.get("/v1/airports" + faulty).status_code == 400
        assert editor.get("/v1/airports").status_code == 200
    assert editor.get(path, params={"version": version}).status_code == 200


def test_only_a_client_that_holds_the_state_gets_304(person: Person) -> None:
    editor, reader, path = person("grace", "editors"), person("eve"), "/v1/airports/ZCAE"
    etag = read_version(editor, "ZCAE", write(editor, "ZCAE")).headers["ETag"]
    time.sleep(SECONDS + 0.1)
    assert editor.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert reader.get(path).status_code == 200
    assert reader.get(path, headers={"If-None-Match": '"another"'}).status_code == 200
    assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304
    # HEAD is no method of the contract, whatever is cached.
    assert reader.head(path).status_code == 405


def test_a_receipt_is_never_old(person: Person) -> None:
    editor = person("grace", "editors")
    version = write(editor, "ZCAF")
    receipt = f"/v1/airports/ZCAF/writes/{version}"
    assert editor.get(receipt).json()["status"] == "pending"
    await_receipt(editor, "ZCAF", version)
    assert editor.get(receipt).headers["Cache-Control"] == "no-store"
