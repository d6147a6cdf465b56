"""The document as it is made, with all that it refers to in place."""

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
def made() -> Document:
    return create_document(list(load_resources().values()), "https://sign-in.example.com")


def fault(schema: dict[str, Any], value: object) -> str:
    """What is wrong with a value by a schema of the document; empty when nothing is."""
    whole = {**schema, "components": made()["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return "; ".join(f"{error.message} at {error.instance_path}" for error in validator.iter_errors(value))


def named(name: str) -> dict[str, Any]:
    """A schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of all that the document describes."""
    return [(path, method, one) for path, methods in made()["paths"].items() for method, one in methods.items()]
