"""The ids of items: chosen by the service, named by the client, or derived from an Idempotency-Key."""

import re
import uuid

from ulid import ULID

from sluice.resource import Resource

# Unreserved characters of RFC 3986, so that an id stands in a path as it is.
# A path segment of one or two dots would lead elsewhere.
_NATURAL = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}")
_NATURAL_FAULT = "Expected 1 to 128 of the characters A-Z a-z 0-9 . _ ~ - and more than one or two dots"
_NAMESPACE = uuid.UUID("3f1d8c52-8f0e-5a3b-9d58-6a6f5f0d6c11")


def new_id() -> str:
    """Return a new UUID of version 7: ids made one after another are neighbours in the table."""
    return str(ULID().to_uuid7(compliant=True))


def derived_id(owner: str, collection: str, key: str) -> str:
    """Return the UUID that a POST with this Idempotency-Key names, the same at each retry."""
    return str(uuid.uuid5(_NAMESPACE, f"{owner}\n{collection}\n{key}"))


def id_fault(resource: Resource, item_id: str) -> str | None:
    """Say what is wrong with an id, or None when nothing is."""
    if resource.key:
        return None if _NATURAL.fullmatch(item_id) else _NATURAL_FAULT
    try:
        return None if str(uuid.UUID(item_id)) == item_id else "Expected a UUID in lower case with hyphens"
    except ValueError:
        return "Expected a UUID"
