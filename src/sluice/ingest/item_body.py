"""Parse the body of a request into an item, and choose the item's id."""

import os
import re
import time
import uuid
from collections.abc import Sequence

import msgspec

from sluice.errors import InvalidFieldValue
from sluice.http.problem import FieldFault, Problem, invalid_field_problem
from sluice.http.request import Request
from sluice.model.record import MAX_RECORD_BYTES
from sluice.model.resource import Item, Resource, describe_invalid_id

_PATH = re.compile(r"^(?P<detail>.*?)(?: - at (?:`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL)


_UNKNOWN = "Object contains unknown field"


_NAMED = re.compile(r"^Object (?P<fault>contains unknown|missing required) field `(?P<field>.*)`$", re.DOTALL)


_CHARSETS = {"utf-8", "utf8", "us-ascii"}


_encode = msgspec.json.Encoder().encode


def decode_body(request: Request, resource: Resource) -> Item:
    """Decode a body as an item.

    Raises Problem: 415 not JSON by its type, 413 too large, 400 empty or not JSON, 422 not such an item (naming the
    field).
    """
    if request.media_type != "application/json" and not request.media_type.endswith("+json"):
        raise Problem(415, f"The body must be application/json, not {request.media_type}.")
    require_utf8(request)
    if len(request.body) > MAX_RECORD_BYTES:
        raise record_too_large_problem()
    if not request.body.strip():
        raise Problem(400, "The body is empty; a JSON object was expected.")
    return decode_item(request.body, resource)


def require_utf8(request: Request) -> None:
    """Raise Problem 415 for another charset: JSON has none (RFC 8259), and it would be read as what it is not."""
    if request.charset not in _CHARSETS:
        raise Problem(415, "The body must be in UTF-8.", faults=[FieldFault("Content-Type", "Expected UTF-8")])


def decode_item(body: bytes, resource: Resource) -> Item:
    """Decode and check one item; its values are in the form in which they are stored."""
    try:
        return resource.decoder.decode(body)
    except InvalidFieldValue as unfit:
        raise invalid_field_problem(unfit.field, unfit.detail) from None
    except msgspec.ValidationError as error:
        raise _fault(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"This is not JSON: {error}") from None
    except RecursionError:
        raise Problem(400, "This is nested too deeply.") from None


def encode_item(item: Item, resource: Resource) -> msgspec.Raw:
    """Encode an item as it is stored. An optional field without a value is left out, as if it had not been sent."""
    for field in resource.optional_fields:
        if getattr(item, field) is None:
            setattr(item, field, msgspec.UNSET)
    return msgspec.Raw(_encode(item))


def record_too_large_problem() -> Problem:
    return Problem(413, f"An item's record may have at most {MAX_RECORD_BYTES} bytes.")


def _fault(message: str) -> Problem:
    """msgspec names the place only in its message: take the field from there, the sentence stays as it is."""
    found = _PATH.match(message)
    detail, path = (found["detail"], found["path"] or "") if found else (message, "")
    field = path.removeprefix(".")
    if named := _NAMED.match(detail):
        field += ("." if field else "") + named["field"]
    # By its beginning: such a name may hold whatever the rest is known by.
    quoting = detail.startswith(_UNKNOWN)
    return invalid_field_problem(field, detail, quotes_client=quoting) if field else Problem(422, detail)


_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")


def parse_idempotency_key(request: Request) -> str:
    """The request's Idempotency-Key, or an empty text when there is none.

    Raises Problem 400 for what is no such key. An empty one is none: a client that lost its key would write twice.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise invalid_field_problem("Idempotency-Key", "Expected 1 to 255 printable characters of ASCII", 400)
    if request.count_header_lines("idempotency-key") > 1:
        raise invalid_field_problem("Idempotency-Key", "Expected once", 400)
    return key


def get_natural_id(resource: Resource, item: Item) -> str:
    """The id that an item has by its resource's key. Raises Problem 422 for one that cannot stand in a path."""
    field = resource.key or ""
    item_id = str(getattr(item, field))
    if fault := describe_invalid_id(resource, item_id):
        raise invalid_field_problem(field, fault)
    return item_id


def choose_item_id(resource: Resource, request: Request, key: str, item: Item) -> str:
    """The id of the one item of a request. Raises Problem 422."""
    if resource.key:
        return get_natural_id(resource, item)
    return derive_item_id(request.caller.subject, resource.collection, key) if key else new_item_id()


def choose_item_ids(resource: Resource, request: Request, key: str, lines: Sequence[int]) -> Sequence[str]:
    """The ids of a request's many items by their lines; empty texts, where the items themselves have them."""
    if resource.key:
        return [""] * len(lines)
    if key:
        return [derive_item_id(request.caller.subject, resource.collection, key, line) for line in lines]
    return new_item_ids(len(lines))


_NAMESPACE = uuid.UUID("3f1d8c52-8f0e-5a3b-9d58-6a6f5f0d6c11")


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562's mark, and two random bits


def new_item_id() -> str:
    """Return a new UUID of version 7: ids made one after another are neighbours in the table."""
    return new_item_ids(1)[0]


def new_item_ids(count: int) -> list[str]:
    """Return new UUIDs of version 7 in their order: a millisecond, its version, 74 random bits."""
    moment = f"{time.time_ns() // 1_000_000:012x}"
    head, random = f"{moment[:8]}-{moment[8:]}-7", os.urandom(10 * count).hex()
    return sorted(
        f"{head}{random[at : at + 3]}-{_VARIANT[random[at + 3]]}{random[at + 4 : at + 7]}-{random[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    )


def derive_item_id(owner: str, collection: str, key: str, line: int | None = None) -> str:
    """Return the UUID that a POST with this Idempotency-Key names, the same at each retry.

    Of many items in one request each has the number of its line besides.
    """
    name = f"{owner}\n{collection}\n{key}"
    return str(uuid.uuid5(_NAMESPACE, name if line is None else f"{name}\n{line}"))
