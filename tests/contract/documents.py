"""The OpenAPI document of this code, and how to look things up in it."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from sluice.model.resource import load_resources
from sluice.openapi.document import create_document

REPOSITORY = Path(__file__).parents[2]
CHECKED_IN = REPOSITORY / "docs/openapi.json"

Document = dict[str, Any]


@cache
def create_test_document() -> Document:
    return create_document(list(load_resources().values()), "https://sign-in.example.com")


def describe_mismatch(schema: dict[str, Any], value: object) -> str:
    """Describe how a value violates a schema of the document. Empty if it does not."""
    complete = {**schema, "components": create_test_document()["components"]}
    validator = jsonschema_rs.Draft202012Validator(complete, validate_formats=True)
    return "; ".join(f"{error.message} at {error.instance_path}" for error in validator.iter_errors(value))


def schema_reference(name: str) -> dict[str, Any]:
    """Refer to a schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_operations() -> list[tuple[str, str, dict[str, Any]]]:
    """List the path, method and operation of every operation in the document."""
    paths = create_test_document()["paths"]
    return [(path, method, operation) for path, methods in paths.items() for method, operation in methods.items()]
