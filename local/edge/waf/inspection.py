"""A request under inspection, and the fields of it that a statement inspects, with their text transformations."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.http_messages import Request
from local.edge.waf.modsecurity import RuleMatch
from local.edge.waf.rule_engine import RuleEngine


class Inspection:
    """`body_limit` is how many bytes of the body the firewall inspects; `now` is a clock in seconds."""

    def __init__(self, request: Request, body_limit: int, engine: RuleEngine, now: float) -> None:
        self.request = request
        self.body_limit = body_limit
        self.now = now
        self.labels: set[str] = set()
        self._engine = engine

    @cached_property
    def rule_matches(self) -> list[RuleMatch]:
        """The matches of the Core Rule Set, computed once for all managed groups."""
        return self._engine.find_matches(self.request, self.body_limit)


OversizeResult = bool | None
"""Whether an oversize field matches without inspection (MATCH, NO_MATCH), or None: inspect up to the limit."""
FieldReader = Callable[[Inspection], tuple[list[bytes], OversizeResult]]
Transformation = Callable[[bytes], bytes]

_WHITE_SPACE = re.compile(rb"[ \t\n\r\f\v\xa0]+")
_OVERSIZE_HANDLING: dict[str, OversizeResult] = {"MATCH": True, "NO_MATCH": False, "CONTINUE": None}
_TRANSFORMATIONS: dict[str, Transformation] = {
    "NONE": lambda value: value,
    "LOWERCASE": bytes.lower,
    "URL_DECODE": lambda value: unquote_to_bytes(value.replace(b"+", b" ")),
    "COMPRESS_WHITE_SPACE": lambda value: _WHITE_SPACE.sub(b" ", value),
}


def parse_field_to_match(config: dict[str, Any]) -> FieldReader:
    """Parse a FieldToMatch. Raises UnsupportedConfiguration."""
    kind = require_one_key(config, _FIELD_PARSERS, "FieldToMatch")
    return _FIELD_PARSERS[kind](config[kind])


def parse_text_transformations(config: list[dict[str, Any]]) -> Transformation:
    """Combine the TextTransformations in the order of their priority. Raises UnsupportedConfiguration."""
    steps: list[Transformation] = []
    for step in sorted(config, key=lambda step: int(step["Priority"])):
        reject_unknown_keys(step, ("Priority", "Type"), "TextTransformations")
        if step["Type"] not in _TRANSFORMATIONS:
            raise UnsupportedConfiguration(f"the local edge does not support the text transformation {step['Type']}")
        steps.append(_TRANSFORMATIONS[step["Type"]])

    def transform(value: bytes) -> bytes:
        for step in steps:
            value = step(value)
        return value

    return transform


def _parse_single_header(config: dict[str, Any]) -> FieldReader:
    reject_unknown_keys(config, ("Name",), "SingleHeader")
    wanted = str(config["Name"]).lower()

    def read_values(inspection: Inspection) -> tuple[list[bytes], OversizeResult]:
        return [value.encode("latin-1") for name, value in inspection.request.headers if name == wanted], None

    return read_values


def _parse_body(config: dict[str, Any]) -> FieldReader:
    reject_unknown_keys(config, ("OversizeHandling",), "Body")
    oversize = _OVERSIZE_HANDLING[config.get("OversizeHandling", "CONTINUE")]

    def read_body(inspection: Inspection) -> tuple[list[bytes], OversizeResult]:
        body = inspection.request.body
        return [body[: inspection.body_limit]], oversize if len(body) > inspection.body_limit else None

    return read_body


def _build_text_field_parser(
    read_text: Callable[[Inspection], str], name: str
) -> Callable[[dict[str, Any]], FieldReader]:
    def parse(config: dict[str, Any]) -> FieldReader:
        reject_unknown_keys(config, (), name)
        return lambda inspection: ([read_text(inspection).encode("latin-1", "replace")], None)

    return parse


_FIELD_PARSERS: dict[str, Callable[[dict[str, Any]], FieldReader]] = {
    "SingleHeader": _parse_single_header,
    "Body": _parse_body,
    "Method": _build_text_field_parser(lambda inspection: inspection.request.method, "Method"),
    "UriPath": _build_text_field_parser(lambda inspection: inspection.request.path, "UriPath"),
    "QueryString": _build_text_field_parser(lambda inspection: inspection.request.query, "QueryString"),
}
