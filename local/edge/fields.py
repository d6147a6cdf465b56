"""The parts of a request that a statement looks at, and how they are changed before it looks."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from local.edge.inspection import Inspection
from local.edge.refusal import NotUnderstood, one_of, only

Oversize = bool | None
"""Whether a part larger than the limit matches without a look (MATCH, NO_MATCH), or is looked at as far as it goes."""
Field = Callable[[Inspection], tuple[list[bytes], Oversize]]
Change = Callable[[bytes], bytes]

_WHITE_SPACE = re.compile(rb"[ \t\n\r\f\v\xa0]+")
_OVERSIZE: dict[str, Oversize] = {"MATCH": True, "NO_MATCH": False, "CONTINUE": None}
_CHANGES: dict[str, Change] = {
    "NONE": lambda value: value,
    "LOWERCASE": bytes.lower,
    "URL_DECODE": lambda value: unquote_to_bytes(value.replace(b"+", b" ")),
    "COMPRESS_WHITE_SPACE": lambda value: _WHITE_SPACE.sub(b" ", value),
}


def field(given: dict[str, Any]) -> Field:
    """The part that a FieldToMatch names. Raises NotUnderstood."""
    kind = one_of(given, _FIELDS, "FieldToMatch")
    return _FIELDS[kind](given[kind])


def changes(given: list[dict[str, Any]]) -> Change:
    """All of the TextTransformations, in their order. Raises NotUnderstood."""
    steps: list[Change] = []
    for step in sorted(given, key=lambda step: int(step["Priority"])):
        only(step, ("Priority", "Type"), "TextTransformations")
        if step["Type"] not in _CHANGES:
            raise NotUnderstood(f"the text transformation {step['Type']} is not made by the local edge")
        steps.append(_CHANGES[step["Type"]])

    def changed(value: bytes) -> bytes:
        for step in steps:
            value = step(value)
        return value

    return changed


def _header(given: dict[str, Any]) -> Field:
    only(given, ("Name",), "SingleHeader")
    name = str(given["Name"]).lower()

    def values(inspected: Inspection) -> tuple[list[bytes], Oversize]:
        return [value.encode("latin-1") for given, value in inspected.request.headers if given == name], None

    return values


def _body(given: dict[str, Any]) -> Field:
    only(given, ("OversizeHandling",), "Body")
    oversize = _OVERSIZE[given.get("OversizeHandling", "CONTINUE")]

    def value(inspected: Inspection) -> tuple[list[bytes], Oversize]:
        body = inspected.request.body
        return [body[: inspected.limit]], oversize if len(body) > inspected.limit else None

    return value


def _text(read: Callable[[Inspection], str], name: str) -> Callable[[dict[str, Any]], Field]:
    def made(given: dict[str, Any]) -> Field:
        only(given, (), name)
        return lambda inspected: ([read(inspected).encode("latin-1", "replace")], None)

    return made


_FIELDS: dict[str, Callable[[dict[str, Any]], Field]] = {
    "SingleHeader": _header,
    "Body": _body,
    "Method": _text(lambda inspected: inspected.request.method, "Method"),
    "UriPath": _text(lambda inspected: inspected.request.path, "UriPath"),
    "QueryString": _text(lambda inspected: inspected.request.query, "QueryString"),
}
