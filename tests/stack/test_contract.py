"""The OpenAPI document that a deployed stack serves, and whether the stack conforms to it: a short `make contract`."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack import Stack
from sluice.model.resource import load_resources
from sluice.openapi.document import create_document, encode_document
from tests.contract.documents import create_test_document, describe_mismatch, list_operations
from tests.contract.running import run_schemathesis
from tests.stack.conftest import Person
from tests.stack.samples import airport

pytestmark = pytest.mark.stack("first")


def test_the_document_matches_the_code_and_is_public(stack: Stack, client: Any) -> None:
    response = client().get("/v1/openapi.json")
    sign_in = stack.outputs["TokenUrl"].removesuffix("/oauth2/token")
    assert response.content == encode_document(create_document(list(load_resources().values()), sign_in))
    page = client().get("/v1/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'sha256-" in page.headers["Content-Security-Policy"]
    for path in ("/v1/openapi.json", "/v1/docs"):
        etag = client().get(path).headers["ETag"]
        assert client().get(path, headers={"If-None-Match": etag}).status_code == 304
        rejected = client().post(path, json={})
        assert (rejected.status_code, rejected.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("collection", load_resources())
def test_the_examples_are_accepted_and_read_back_unchanged(person: Person, collection: str) -> None:
    operations = {operation["operationId"]: operation for _, _, operation in list_operations()}
    operation = operations[f"{collection}_post"]
    schema = operations[f"{collection}_get"]["responses"]["200"]["content"]["application/json"]["schema"]
    writer = person("contract-examples", "editors")
    for example in operation["requestBody"]["content"]["application/json"]["examples"].values():
        response = writer.post(f"/v1/{collection}", json=example["value"])
        accepted = operation["responses"]["202"]["content"]["application/json"]["schema"]
        assert (response.status_code, describe_mismatch(accepted, response.json())) == (202, "")
        waiting: Any = {"params": {"version": response.json()["version"]}, "headers": {"Prefer": "wait=15"}}
        item = writer.get(f"/v1/{collection}/{response.json()['id']}", **waiting).json()
        assert describe_mismatch(schema, item) == ""
        schema_examples = create_test_document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["examples"]
        assert item["data"] in [example["data"] for example in schema_examples]


def test_schemathesis_finds_nothing(stack: Stack, tmp_path: Path, machine: httpx.Client, primary: Any) -> None:
    def write() -> str:
        return str(machine.put("/v1/airports/__ZZ", json=airport("__ZZ")).json()["version"])

    first = write()
    result = run_schemathesis(stack, tmp_path, 10, "--phases", "fuzzing,stateful")
    assert result.succeeded, result.output
    assert result.cases >= 150
    assert max(result.statuses) < 500
    # Every accepted item can be stored.
    waiting: Any = {"params": {"version": write()}, "headers": {"Prefer": "wait=15"}}
    assert machine.get("/v1/airports/__ZZ", **waiting).status_code == 200
    with primary.cursor() as cursor:
        cursor.execute("SELECT collection, reason FROM rejected_writes WHERE version > %s", (first,))
        assert cursor.fetchall() == ()
