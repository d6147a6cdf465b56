"""What API Gateway's definition says of a collection, as a digest: a migration compares it with the classes."""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import Resource

_DIGEST_BYTES = 9


def digest_collections(resources: Iterable[Resource]) -> dict[str, str]:
    """Return a short digest for each collection: equal if and only if its routes are the same."""
    return {resource.collection: _digest(describe_routes(resource)) for resource in resources}


def describe_routes(resource: Resource) -> dict[str, Any]:
    """Return what the routes of a collection depend on: whether callers share answers, the query parameters of a list,
    the fields that a body must have."""
    return {
        "collection": resource.collection,
        "private": resource.private,
        "list_parameters": sorted(list_parameter_names([resource])),
        "required_fields": required_fields(resource),
    }


def required_fields(resource: Resource) -> list[str]:
    """Return the fields that the body of a write must have, in alphabetical order."""
    return sorted(field.encode_name for field in msgspec.structs.fields(resource.strict_model) if field.required)


def _digest(description: dict[str, Any]) -> str:
    return hashlib.blake2b(msgspec.json.encode(description), digest_size=_DIGEST_BYTES).hexdigest()
