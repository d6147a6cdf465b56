"""The OpenAPI document: valid, true to the classes and to what the functions answer."""

import copy
import datetime
import json
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from sluice.http.api_gateway import parse_request
from sluice.http.problem import FieldFault, Problem
from sluice.ingest.batch_of_lines import NDJSON_MEDIA_TYPE
from sluice.ingest.batch_of_lines import LineResult as Line
from sluice.ingest.item_body import parse_idempotency_key
from sluice.model.columns import LIST_PARAMETERS
from sluice.model.item_state import StoredItem
from sluice.model.list_parameters import filter_parameter_names
from sluice.model.resource import Digits, create_resource, load_resources
from sluice.openapi.document import create_document, encode_document
from sluice.openapi.examples import EXAMPLE_IDS, EXAMPLE_VERSIONS
from sluice.openapi.responses import PROBLEM_SCHEMA
from sluice.query.item_rows import RowHead, create_stored_items
from sluice.query.receipt import Receipt, WriteStatus
from tests.contract.documents import (
    CHECKED_IN,
    create_test_document,
    describe_mismatch,
    list_operations,
    schema_reference,
)
from tests.unit.classes import create_item_class

NAMES = {"airports": "Airport", "bookings": "Booking"}


def test_it_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(create_test_document()).iter_errors()) == []


def test_an_invalid_document_is_detected() -> None:
    broken = copy.deepcopy(create_test_document())
    del broken["paths"]["/v1/docs"]["get"]["responses"]
    broken["paths"]["/v1/airports"]["get"]["operationId"] = "docs"
    assert len(list(OpenAPIV31SpecValidator(broken).iter_errors())) > 0


def test_the_copy_that_is_checked_in_is_of_this_code() -> None:
    current = encode_document(create_document(list(load_resources().values())), indent=2).decode()
    assert CHECKED_IN.read_text() == f"{current}\n", "run `make openapi` and review the change"


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def test_every_reference_has_a_target_and_every_component_is_used() -> None:
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in create_test_document()["components"].items()
        for name in components
    }
    referred = set(_references(create_test_document()))
    assert referred - there == set()
    assert {reference for reference in there - referred if "/securitySchemes/" not in reference} <= {
        "#/components/responses/MethodNotAllowed",  # of all methods that are not described
    }


def test_each_collection_has_its_own_paths_and_schemas() -> None:
    for collection, name in NAMES.items():
        base = f"/v1/{collection}"
        assert set(create_test_document()["paths"][base]) == {"get", "post"}
        assert set(create_test_document()["paths"][f"{base}/{{id}}"]) == {"get", "put", "delete"}
        assert set(create_test_document()["paths"][f"{base}/{{id}}/writes/{{version}}"]) == {"get"}
        written = create_test_document()["paths"][base]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert written == schema_reference(name)


def test_the_texts_below_fields_are_their_descriptions() -> None:
    fields = create_test_document()["components"]["schemas"]["Airport"]["properties"]
    assert fields["elevation"]["description"] == "Feet above mean sea level."
    assert create_test_document()["components"]["schemas"]["Booking"]["description"] == "A booked flight."


@pytest.mark.parametrize("collection", NAMES)
def test_an_example_is_an_item(collection: str) -> None:
    resource = load_resources()[collection]
    assert len(resource.examples) > 1
    for example in resource.examples:
        assert describe_mismatch(schema_reference(NAMES[collection]), dict(example)) == ""
        assert resource.decoder.decode(msgspec.json.encode(example))


def _examples(part: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield each example of the document with its schema."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    yield from _own_examples(part, place)
    for name, value in part.items():
        if name not in ("example", "examples"):
            yield from _examples(value, f"{place}/{name}")


def _own_examples(part: dict[Any, Any], place: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    if "schema" in part and "example" in part:
        yield place, part["schema"], part["example"]
    if "schema" in part:
        for name, example in (part.get("examples") or {}).items():
            yield f"{place}/{name}", part["schema"], example["value"]
    elif isinstance(part.get("examples"), list):
        for number, example in enumerate(part["examples"]):
            yield f"{place}/{number}", part, example


EXAMPLES = list(_examples(create_test_document()))


def test_there_are_examples_everywhere() -> None:
    assert len(EXAMPLES) > 40
    assert len({place.split("/")[3] for place, _, _ in EXAMPLES if place.startswith("/components/schemas/")}) >= 10


@pytest.mark.parametrize(
    ("schema", "example"), [pytest.param(schema, example, id=place) for place, schema, example in EXAMPLES]
)
def test_an_example_fits_its_schema(schema: dict[str, Any], example: Any) -> None:
    assert describe_mismatch(schema, example) == ""


@pytest.mark.parametrize(
    ("field", "value", "good"),
    [
        ("price", "129.90", True),
        ("price", 129.9, True),
        ("price", "1.005", False),
        ("price", 1.005, False),
        ("price", 1e2, True),
        ("price", "1e2", False),
        ("price", " 1", False),
        ("price", "1_0", False),
        ("price", "1.50\n", False),
        ("price", "+1.50", False),
        ("price", ".50", False),
        ("price", "-0.00", True),
        ("airports", ["EDDF", "LPPT\n"], False),
        ("price", "123456789", False),
        ("seats", 10, False),
        ("notes", None, True),
        ("departs_at", "yesterday", False),
        ("colour", "red", False),
    ],
)
def test_a_schema_accepts_what_the_service_accepts(field: str, value: Any, good: bool) -> None:
    resource = load_resources()["bookings"]
    item = {**resource.examples[0], field: value}
    assert (describe_mismatch(schema_reference("Booking"), item) == "") == good
    try:
        resource.decoder.decode(msgspec.json.encode(item))
    except ValueError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize("collection", NAMES)
def test_a_list_describes_the_parameters_that_it_accepts(collection: str) -> None:
    resource = load_resources()[collection]
    described = create_test_document()["paths"][f"/v1/{collection}"]["get"]["parameters"]
    parameters = [_resolve(reference) for reference in described]
    query = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert query == LIST_PARAMETERS | filter_parameter_names(resource)


def _resolve(part: dict[str, Any]) -> dict[str, Any]:
    target: Any = create_test_document()
    for name in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
        target = target[name]
    return dict(target) if "$ref" in part else part


@pytest.mark.parametrize("key", ["a", "an order 17", "x" * 255, "x" * 256, "", "é", "\x7f"])
def test_the_schema_of_idempotency_keys_matches_the_service(key: str) -> None:
    described = create_test_document()["components"]["parameters"]["IdempotencyKey"]["schema"]
    try:
        parse_idempotency_key(parse_request({"headers": {"Idempotency-Key": key}}))
    except Problem:
        assert describe_mismatch(described, key) != ""
    else:
        assert describe_mismatch(described, key) == ""


def test_the_lines_of_many_items_have_the_fields_of_their_class() -> None:
    schemas = create_test_document()["components"]["schemas"]
    described = {*schemas["LineAccepted"]["properties"], *schemas["LineRefused"]["properties"]}
    assert described == set(Line.__struct_fields__)
    [media] = set(create_test_document()["paths"]["/v1/airports"]["post"]["requestBody"]["content"]) - {
        "application/json"
    }
    assert media == NDJSON_MEDIA_TYPE


def test_items_receipts_and_problems_have_the_fields_of_their_classes() -> None:
    schemas = create_test_document()["components"]["schemas"]
    item, receipt = schemas["AirportItem"], schemas["AirportReceipt"]
    assert set(item["properties"]) == set(StoredItem.__struct_fields__)
    assert set(receipt["properties"]) == set(Receipt.__struct_fields__)
    assert receipt["properties"]["status"]["enum"] == list(get_args(WriteStatus))
    assert set(PROBLEM_SCHEMA["properties"]["errors"]["items"]["properties"]) == set(FieldFault.__struct_fields__)


@pytest.mark.parametrize("stored", ["0E-10", "1E-10", "-12.5000000000", "9" * 28])
def test_the_read_schema_matches_stored_decimals(stored: str) -> None:
    resource = create_resource(create_item_class(("rate", Decimal), name="Rated"), "rated")
    head = RowHead(EXAMPLE_VERSIONS[0], is_deleted=False, written_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    [created] = create_stored_items(resource, [(EXAMPLE_IDS[0], head, {"rate": Decimal(stored)})])
    item = msgspec.json.decode(msgspec.json.encode(created))
    described = create_document([resource])["components"]["schemas"]["RatedAsRead"]
    assert describe_mismatch(described, item["data"]) == ""
    assert Decimal(item["data"]["rate"]) == Decimal(stored)


def test_every_kind_of_field_has_a_schema() -> None:
    inner = msgspec.defstruct("Inner", [("size", int), ("label", str, "")])
    zoo = create_document([
        create_resource(
            create_item_class(
                ("a_text", str),
                ("a_number", int),
                ("a_share", float),
                ("a_flag", bool),
                ("an_amount", Annotated[Decimal, Digits(8, 0)]),
                ("a_rate", Decimal | None, None),
                ("a_day", datetime.date),
                ("a_moment", datetime.datetime),
                ("a_key", uuid.UUID),
                ("a_choice", Literal[1, 2]),
                ("a_map", dict[str, int]),
                ("some", list[inner], msgspec.field(default_factory=list)),  # type: ignore[valid-type]
            ),
            "things",
            indexes=("a_number", "a_share", "a_flag", "a_rate", "a_day", "a_moment", "a_key", "a_choice"),
        )
    ])  # fmt: skip
    assert zoo["components"]["schemas"]["Inner"]["required"] == ["size"]
    assert list(OpenAPIV31SpecValidator(zoo).iter_errors()) == []


def test_without_a_sign_in_url_only_the_bearer_scheme_is_described() -> None:
    plain = create_document(list(load_resources().values()))
    assert set(plain["components"]["securitySchemes"]) == {"bearer"}
    assert plain["paths"]["/v1/airports"]["get"]["security"] == [{"bearer": []}]
    assert plain["paths"]["/v1/docs"]["get"]["security"] == []


def test_with_client_keys_each_operation_with_a_token_needs_a_key() -> None:
    keyed = create_document(list(load_resources().values()), "https://sign-in.example.com", needs_client_keys=True)
    assert list(OpenAPIV31SpecValidator(keyed).iter_errors()) == []
    for path, method, plain in list_operations():
        security = keyed["paths"][path][method]["security"]
        assert security == [{**option, "client_key": []} for option in plain["security"]], (path, method)
    scheme = keyed["components"]["securitySchemes"]["client_key"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "x-api-key")
    assert "client_key" not in json.dumps(create_test_document())


def test_each_operation_has_a_unique_id_and_describes_its_responses() -> None:
    ids = [operation["operationId"] for _, _, operation in list_operations()]
    assert len(ids) == len(set(ids)) == 15
    for _, _, operation in list_operations():
        responses = {status: _resolve(response) for status, response in operation["responses"].items()}
        assert all(response["description"] for response in responses.values())
        assert {"400", "403", "429", "500", "503", "504"} <= responses.keys()
        assert ("401" in responses) == bool(operation["security"])


def test_the_document_does_not_reveal_where_it_was_created() -> None:
    assert not re.search(r"localhost|127\.0\.0\.1|/src/|amazonaws", json.dumps(create_test_document()))
