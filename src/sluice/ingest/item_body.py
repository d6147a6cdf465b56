"""Parse the body of a request into an item, and choose the item's id."""

import os
import re
import time
import uuid
from collections.abc import Sequence

import msgspec

from sluice.errors import InvalidFieldValue
from sluice.http.problem import FieldFault, Problem, invalid_field_problem
from sluice.http.request import Caller, Request
from sluice.model.record import MAX_RECORD_BYTES
from sluice.model.resource import Item, Resource, describe_invalid_id

_UTF8_CHARSETS = {"utf-8", "utf8", "us-ascii"}
_IDEMPOTENCY_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")

# The messages of msgspec: a detail and the path of the value, and of some details the field's name.
_MESSAGE = re.compile(r"^(?P<detail>.*?)(?: - at (?:`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL)
_FIELD_DETAIL = re.compile(r"^Object (?P<fault>contains unknown|missing required) field `(?P<field>.*)`$", re.DOTALL)
_UNKNOWN_FIELD = "Object contains unknown field"

# Never change it: a client's retry around a deployment must name the same item.
_DERIVED_ID_NAMESPACE = uuid.UUID("3f1d8c52-8f0e-5a3b-9d58-6a6f5f0d6c11")
# RFC 9562: the digit after the version has the variant in its upper two bits. The lower two are random.
_VARIANT_DIGIT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def parse_new_item(request: Request, resource: Resource, caller: Caller) -> tuple[str, Item]:
    """Return the id and the item of a POST. Raises Problem 400, 413, 415 or 422."""
    key = parse_idempotency_key(request)
    item = decode_body(request, resource)
    if resource.key:
        return get_natural_id(resource, item), item
    return derive_item_id(caller.subject, resource.collection, key) if key else new_item_id(), item


def decode_body(request: Request, resource: Resource) -> Item:
    """Decode a body as an item.

    Raises Problem: 415 if it is not JSON by its media type, 413 too large, 400 empty or not JSON, 422 not an item of
    the resource (the problem names the field).
    """
    if request.media_type != "application/json" and not request.media_type.endswith("+json"):
        raise Problem(415, f"The body must be application/json, not {request.media_type}.")
    body = read_utf8_body(request)
    if len(body) > MAX_RECORD_BYTES:
        raise record_too_large_problem()
    if not body.strip():
        raise Problem(400, "The body is empty; a JSON object was expected.")
    return decode_item(body, resource)


def read_utf8_body(request: Request) -> bytes:
    """Return the body. Raises Problem 415 if it is not in UTF-8, as JSON must be, 400 if it cannot be decoded."""
    if request.charset not in _UTF8_CHARSETS:
        raise Problem(415, "The body must be in UTF-8.", faults=[FieldFault("Content-Type", "Expected UTF-8")])
    if request.body is None:
        raise Problem(400, "The body could not be read.")
    return request.body


def decode_item(body: bytes, resource: Resource) -> Item:
    """Decode and validate one item. Its values are in the form that the table stores. Raises Problem 400 or 422."""
    try:
        return resource.decoder.decode(body)
    except InvalidFieldValue as error:
        raise invalid_field_problem(error.field, error.detail) from None
    except msgspec.ValidationError as error:
        raise _create_validation_problem(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"This is not JSON: {error}") from None
    except RecursionError:
        raise Problem(400, "This is nested too deeply.") from None


def _create_validation_problem(message: str) -> Problem:
    """Split msgspec's message into the field and the detail: only the message names the field."""
    match = _MESSAGE.match(message)
    detail, path = (match["detail"], match["path"] or "") if match else (message, "")
    field = path.removeprefix(".")
    if named := _FIELD_DETAIL.match(detail):
        field += ("." if field else "") + named["field"]
    # Only the beginning tells: the name of an unknown field may contain anything.
    quotes_client = detail.startswith(_UNKNOWN_FIELD)
    return invalid_field_problem(field, detail, quotes_client=quotes_client) if field else Problem(422, detail)


def record_too_large_problem() -> Problem:
    """Create the problem of an item whose record is larger than Firehose takes."""
    return Problem(413, f"An item's record may have at most {MAX_RECORD_BYTES} bytes.")


def parse_idempotency_key(request: Request) -> str:
    """Return the Idempotency-Key, or an empty text if the header is absent.

    Raises Problem 400 for an invalid key, an empty one too: a client that lost its key would write twice.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid_field_problem("Idempotency-Key", "Expected 1 to 255 printable characters of ASCII", 400)
    # Not has_several_lines: the path of a write enters each module once.
    if sum(len(lines) for name, lines in request.header_lines.items() if name.lower() == "idempotency-key") > 1:
        raise invalid_field_problem("Idempotency-Key", "Expected once", 400)
    return key


def get_natural_id(resource: Resource, item: Item) -> str:
    """Return the id that an item has by its resource's key. Raises Problem 422 if no path can contain it."""
    field = resource.key or ""
    item_id = str(getattr(item, field))
    if fault := describe_invalid_id(resource, item_id):
        raise invalid_field_problem(field, fault)
    return item_id


def choose_item_ids(resource: Resource, caller: Caller, key: str, line_numbers: Sequence[int]) -> Sequence[str]:
    """Choose the ids of the items of many lines. They are empty texts if the items have natural ids."""
    if resource.key:
        return [""] * len(line_numbers)
    if key:
        return [derive_item_id(caller.subject, resource.collection, key, number) for number in line_numbers]
    return new_item_ids(len(line_numbers))


def new_item_id() -> str:
    """Return a new UUID of version 7. Ids made one after another are neighbours in the table."""
    return new_item_ids(1)[0]


def new_item_ids(count: int) -> list[str]:
    """Return new UUIDs of version 7 in ascending order: milliseconds, the version, 74 random bits."""
    milliseconds = f"{time.time_ns() // 1_000_000:012x}"
    head, bits = f"{milliseconds[:8]}-{milliseconds[8:]}-7", os.urandom(10 * count).hex()
    return sorted(
        f"{head}{bits[at : at + 3]}-{_VARIANT_DIGIT[bits[at + 3]]}{bits[at + 4 : at + 7]}-{bits[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    )


def derive_item_id(owner: str, collection: str, key: str, line_number: int | None = None) -> str:
    """Return the UUID that an Idempotency-Key names, the same at each retry. Each line of a batch has its own."""
    name = f"{owner}\n{collection}\n{key}"
    return str(uuid.uuid5(_DERIVED_ID_NAMESPACE, name if line_number is None else f"{name}\n{line_number}"))
