"""The ids of items: chosen by the service, named by the client, or derived from an Idempotency-Key."""

import os
import re
import time
import uuid

from sluice.resource import Resource

# Unreserved characters of RFC 3986, so that an id stands in a path as it is.
# A path segment of one or two dots would lead elsewhere.
_NATURAL = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}")
_NATURAL_FAULT = "Expected 1 to 128 of the characters A-Z a-z 0-9 . _ ~ - and more than one or two dots"
_NAMESPACE = uuid.UUID("3f1d8c52-8f0e-5a3b-9d58-6a6f5f0d6c11")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562's mark, and two random bits


def new_id() -> str:
    """Return a new UUID of version 7: ids made one after another are neighbours in the table."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """Return new UUIDs of version 7 in their order: a millisecond, its version, 74 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    head, random = f"{moment[:8]}-{moment[8:]}-7", os.urandom(10 * count).hex()
    return sorted(
        f"{head}{random[at : at + 3]}-{_VARIANT[random[at + 3]]}{random[at + 4 : at + 7]}-{random[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    )


def derived_id(owner: str, collection: str, key: str, line: int | None = None) -> str:
    """Return the UUID that a POST with this Idempotency-Key names, the same at each retry.

    Of many items in one request each has the number of its line besides.
    """
    name = f"{owner}\n{collection}\n{key}"
    return str(uuid.uuid5(_NAMESPACE, name if line is None else f"{name}\n{line}"))


def id_fault(resource: Resource, item_id: str) -> str | None:
    """Say what is wrong with an id, or None when nothing is."""
    if resource.key:
        return None if _NATURAL.fullmatch(item_id) else _NATURAL_FAULT
    try:
        return None if str(uuid.UUID(item_id)) == item_id else "Expected a UUID in lower case with hyphens"
    except ValueError:
        return "Expected a UUID"
