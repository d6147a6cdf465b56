"""From a request's body to an item's canonical data."""

import re

import msgspec

from sluice.api.problems import FieldFault, Problem, invalid
from sluice.api.requests import Request
from sluice.decoding import Unfit
from sluice.records import LARGEST_RECORD
from sluice.resource import Item, Resource

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
    if request.media != "application/json" and not request.media.endswith("+json"):
        raise Problem(415, f"The body must be application/json, not {request.media}.")
    need_utf8(request)
    if len(request.body) > LARGEST_RECORD:
        raise too_large()
    if not request.body.strip():
        raise Problem(400, "The body is empty; a JSON object was expected.")
    return decode_item(request.body, resource)


def need_utf8(request: Request) -> None:
    """Raise Problem 415 for another charset: JSON has none (RFC 8259), and it would be read as what it is not."""
    if request.charset not in _CHARSETS:
        raise Problem(415, "The body must be in UTF-8.", faults=[FieldFault("Content-Type", "Expected UTF-8")])


def decode_item(body: bytes, resource: Resource) -> Item:
    """Decode and check one item; its values are in the form in which they are stored."""
    try:
        return resource.decoder.decode(body)
    except Unfit as unfit:
        raise invalid(unfit.field, unfit.detail) from None
    except msgspec.ValidationError as error:
        raise _fault(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"This is not JSON: {error}") from None
    except RecursionError:
        raise Problem(400, "This is nested too deeply.") from None


def canonical(item: Item, resource: Resource) -> msgspec.Raw:
    """Encode an item as it is stored. An optional field without a value is left out, as if it had not been sent."""
    for field in resource.optional:
        if getattr(item, field) is None:
            setattr(item, field, msgspec.UNSET)
    return msgspec.Raw(_encode(item))


def too_large() -> Problem:
    return Problem(413, f"An item's record may have at most {LARGEST_RECORD} bytes.")


def _fault(message: str) -> Problem:
    """msgspec names the place only in its message: take the field from there, the sentence stays as it is."""
    found = _PATH.match(message)
    detail, path = (found["detail"], found["path"] or "") if found else (message, "")
    field = path.removeprefix(".")
    if named := _NAMED.match(detail):
        field += ("." if field else "") + named["field"]
    # By its beginning: such a name may hold whatever the rest is known by.
    quoting = detail.startswith(_UNKNOWN)
    return invalid(field, detail, quoting=quoting) if field else Problem(422, detail)
