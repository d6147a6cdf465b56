"""Write the text of a resource class, and of its test."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.data.items import Field
from ops.data.names import choose_class_name

LINE_LENGTH = 110


@dataclass(frozen=True)
class ClassDraft:
    """A resource class that is to be written. `origin` is what it was inferred from, `key` the field of the ids."""

    collection: str
    fields: Sequence[Field]
    origin: str
    summary: str = ""
    key: str = ""
    private: bool = False
    writers: str = ""
    free_text: bool = False
    indexes: Sequence[tuple[str, ...]] = ()
    example: Mapping[str, Any] | None = None

    @property
    def class_name(self) -> str:
        return choose_class_name(self.collection)


def render_class(draft: ClassDraft) -> str:
    """The text of the module of a class."""
    title = draft.collection.replace("_", " ").capitalize()
    docstring = f"{title}. Inferred from {_clean(draft.origin)}: review types, limits and names."
    keywords = ", kw_only=True" if _needs_keywords(draft.fields) else ""
    lines = [*_render_docstring(docstring, indent=""), "", *_render_imports(draft), "", "", *_render_decorator(draft)]
    lines += [f"class {draft.class_name}(Item{keywords}):"]
    lines += [*_render_docstring(_clean(draft.summary) or f"An item of {draft.collection}."), ""]
    for field in draft.fields:
        optional = "" if field.required else " | None = None"
        lines.append(f"    {field.name}: {field.annotation}{optional}")
        if remarks := _clean(" ".join(field.remarks)):
            lines += _render_docstring(remarks)
    return "\n".join(lines) + "\n"


def _render_imports(draft: ClassDraft) -> list[str]:
    annotations = " ".join(field.annotation for field in draft.fields)
    standard = [f"import {name}" for name in ("datetime", "uuid") if f"{name}." in annotations]
    if "Decimal" in annotations:
        standard.append("from decimal import Decimal")
    if typing := [name for name in ("Annotated", "Any", "Literal") if name in annotations]:
        standard.append(f"from typing import {', '.join(typing)}")
    digits = "Digits, " if "Digits(" in annotations else ""
    blocks = [standard, ["from msgspec import Meta"] if "Meta(" in annotations else []]
    lines = [line for block in blocks if block for line in (*block, "")]
    return [*lines, f"from sluice.model.resource import {digits}Item, resource"]


def _needs_keywords(fields: Sequence[Field]) -> bool:
    """Whether a required field follows an optional one."""
    is_required = [field.required for field in fields]
    return is_required != sorted(is_required, reverse=True)


def _render_decorator(draft: ClassDraft) -> list[str]:
    options = [f'"{draft.collection}"']
    if draft.key:
        options.append(f'key="{draft.key}"')
    if draft.private:
        options.append("private=True")
    if draft.writers:
        options.append(f"writers={draft.writers!r}")
    if draft.free_text:
        options.append("free_text=True")
    if draft.indexes:
        entries = ", ".join(repr(index[0]) if len(index) == 1 else repr(index) for index in draft.indexes)
        options.append(f"indexes=[{entries}]")
    if draft.example is None:
        return [f"@resource({', '.join(options)})"]
    example = [f"            {name!r}: {value!r}," for name, value in draft.example.items()]
    lines = [f"    {option}," for option in options]
    return ["@resource(", *lines, "    examples=[", "        {", *example, "        },", "    ],", ")"]


def _render_docstring(text: str, indent: str = "    ") -> list[str]:
    lines = textwrap.wrap(text, LINE_LENGTH)
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}" for line in lines[1:]), f'{indent}"""']


def _clean(text: str) -> str:
    """A text that can stand in a docstring."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    cleaned = " ".join(printable.split()).replace("\\", "/").replace('"', "'")
    return cleaned[:1000]


def render_test(draft: ClassDraft) -> str:
    """The text of a test of a class: its examples are items, and each required field is required."""
    return f'''"""The resource {draft.collection}: its examples are items, and what lacks a required field is none."""

import msgspec
import pytest

from sluice.model.resource import load_resources

RESOURCE = load_resources()["{draft.collection}"]
EXAMPLES = [dict(example) for example in RESOURCE.examples]
REQUIRED = [field.name for field in msgspec.structs.fields(RESOURCE.model) if field.required]


def test_each_example_is_an_item() -> None:
    assert EXAMPLES
    for example in EXAMPLES:
        RESOURCE.decoder.decode(msgspec.json.encode(example))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_field_is_required(name: str) -> None:
    item = {{field: value for field, value in EXAMPLES[0].items() if field != name}}
    with pytest.raises(msgspec.ValidationError, match=f"missing required field `{{name}}`"):
        RESOURCE.decoder.decode(msgspec.json.encode(item))


def test_a_field_that_the_class_lacks_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        RESOURCE.decoder.decode(msgspec.json.encode(EXAMPLES[0] | {{"no_such_field": 1}}))
'''
