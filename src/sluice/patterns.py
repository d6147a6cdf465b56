r"""The patterns of texts as readers of the contract take them (ECMA-262), where Python lets more pass.

`$` is the end of a text, and not also the place before a last line's end; `\d` and `\w` are of ASCII.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import msgspec
from msgspec import inspect

_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_OF_ASCII = re.compile(r"\\[dDwWbB]")


@cache
def published(pattern: str) -> re.Pattern[str]:
    """A pattern with the meaning that it has in the contract."""
    return re.compile("".join(map(_translated, _PARTS.findall(pattern))))


def _translated(part: str) -> str:
    if part == "$":
        return r"\Z"
    return f"(?a:{part})" if _OF_ASCII.search(part) else part


@dataclass(frozen=True)
class Patterned:
    """The types of those fields of a class that have a pattern somewhere within."""

    fields: dict[str, inspect.Type]
    of_ascii: bool

    @classmethod
    def of(cls, model: type[msgspec.Struct]) -> Self:
        known = inspect.type_info(model)
        assert isinstance(known, inspect.StructType)  # noqa: S101  what a Struct is
        schemas = {one.name: str(msgspec.json.schema(one.type)) for one in msgspec.structs.fields(model)}
        found = {one.name: one.type for one in known.fields if "'pattern'" in schemas[one.name]}
        return cls(found, any(_OF_ASCII.search(schemas[name].replace("\\\\", "\\")) for name in found))

    def may_differ(self, body: bytes) -> bool:
        """Whether a text in this JSON may fit a pattern in Python's sense only."""
        if b"\\" in body and (b"\\n" in body or b"\\u" in body):
            return True
        return self.of_ascii and not body.isascii()


def unfit(kind: inspect.Type, value: Any) -> Iterator[tuple[str, str]]:
    """The places within a decoded value of texts that do not fit their patterns, such as `[1].name`, with these."""
    match kind:
        case inspect.StrType(pattern=str(pattern)):
            if isinstance(value, str) and not published(pattern).search(value):
                yield "", pattern
        case inspect.Metadata(type=inner):
            yield from unfit(inner, value)
        case inspect.UnionType(types=types):
            for one in types:
                yield from unfit(one, value)
        case _:
            for place, inner, one in _within(kind, value):
                yield from ((place + deeper, pattern) for deeper, pattern in unfit(inner, one))


def _within(kind: inspect.Type, value: Any) -> Iterator[tuple[str, inspect.Type, Any]]:
    match kind:
        case inspect.CollectionType(item_type=inner):
            if isinstance(value, list | tuple | set | frozenset):
                yield from ((f"[{at}]", inner, one) for at, one in enumerate(value))
        case inspect.TupleType(item_types=types):
            if isinstance(value, tuple):
                yield from ((f"[{at}]", *both) for at, both in enumerate(zip(types, value, strict=False)))
        case inspect.DictType(key_type=key, value_type=inner):
            if isinstance(value, dict):
                for name, one in value.items():
                    yield from (("[...]", key, name), ("[...]", inner, one))
        case inspect.StructType(cls=cls, fields=fields) | inspect.DataclassType(cls=cls, fields=fields):
            if isinstance(value, cls):
                yield from ((f".{one.encode_name}", one.type, getattr(value, one.name)) for one in fields)
