"""One request as the rules of a web ACL look at it.

The parts of a request that a statement looks at, and how they are changed before it looks.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.http_messages import Request
from local.edge.waf.modsecurity import RuleEngine, RuleMatch


class Inspection:
    """`limit` is how much of the body the firewall is given, in bytes; `now` a clock in seconds."""

    def __init__(self, request: Request, limit: int, engine: RuleEngine, now: float) -> None:
        self.request = request
        self.body_limit = limit
        self.now = now
        self.labels: set[str] = set()
        self._engine = engine

    @cached_property
    def rule_matches(self) -> list[RuleMatch]:
        """What the Core Rule Set finds, asked once however many groups want to know."""
        return self._engine.find_matches(self.request, self.body_limit)


Oversize = bool | None


"""Whether a part larger than the limit matches without a look (MATCH, NO_MATCH), or is looked at as far as it goes."""


FieldReader = Callable[[Inspection], tuple[list[bytes], Oversize]]


Transformation = Callable[[bytes], bytes]


_WHITE_SPACE = re.compile(rb"[ \t\n\r\f\v\xa0]+")


_OVERSIZE: dict[str, Oversize] = {"MATCH": True, "NO_MATCH": False, "CONTINUE": None}


_CHANGES: dict[str, Transformation] = {
    "NONE": lambda value: value,
    "LOWERCASE": bytes.lower,
    "URL_DECODE": lambda value: unquote_to_bytes(value.replace(b"+", b" ")),
    "COMPRESS_WHITE_SPACE": lambda value: _WHITE_SPACE.sub(b" ", value),
}


def parse_field_to_match(given: dict[str, Any]) -> FieldReader:
    """The part that a FieldToMatch names. Raises NotUnderstood."""
    kind = require_one_key(given, _FIELDS, "FieldToMatch")
    return _FIELDS[kind](given[kind])


def parse_text_transformations(given: list[dict[str, Any]]) -> Transformation:
    """All of the TextTransformations, in their order. Raises NotUnderstood."""
    steps: list[Transformation] = []
    for step in sorted(given, key=lambda step: int(step["Priority"])):
        reject_unknown_keys(step, ("Priority", "Type"), "TextTransformations")
        if step["Type"] not in _CHANGES:
            raise UnsupportedConfiguration(f"the text transformation {step['Type']} is not made by the local edge")
        steps.append(_CHANGES[step["Type"]])

    def changed(value: bytes) -> bytes:
        for step in steps:
            value = step(value)
        return value

    return changed


def _header(given: dict[str, Any]) -> FieldReader:
    reject_unknown_keys(given, ("Name",), "SingleHeader")
    name = str(given["Name"]).lower()

    def values(inspected: Inspection) -> tuple[list[bytes], Oversize]:
        return [value.encode("latin-1") for given, value in inspected.request.headers if given == name], None

    return values


def _body(given: dict[str, Any]) -> FieldReader:
    reject_unknown_keys(given, ("OversizeHandling",), "Body")
    oversize = _OVERSIZE[given.get("OversizeHandling", "CONTINUE")]

    def value(inspected: Inspection) -> tuple[list[bytes], Oversize]:
        body = inspected.request.body
        return [body[: inspected.body_limit]], oversize if len(body) > inspected.body_limit else None

    return value


def _text(read: Callable[[Inspection], str], name: str) -> Callable[[dict[str, Any]], FieldReader]:
    def made(given: dict[str, Any]) -> FieldReader:
        reject_unknown_keys(given, (), name)
        return lambda inspected: ([read(inspected).encode("latin-1", "replace")], None)

    return made


_FIELDS: dict[str, Callable[[dict[str, Any]], FieldReader]] = {
    "SingleHeader": _header,
    "Body": _body,
    "Method": _text(lambda inspected: inspected.request.method, "Method"),
    "UriPath": _text(lambda inspected: inspected.request.path, "UriPath"),
    "QueryString": _text(lambda inspected: inspected.request.query, "QueryString"),
}
