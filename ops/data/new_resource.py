"""Write a resource class from a file of data or a JSON Schema, and prove that it holds every row."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ops.data.class_file import ClassDraft, render_class, render_test
from ops.data.inference import FieldInference
from ops.data.items import Field, ItemBuilder, RowError, encode_escaped
from ops.data.json_schema import SchemaFile
from ops.data.names import check_collection_name, choose_field_name, map_field_names
from ops.data.natural_keys import check_key_source, choose_key_source, choose_named
from ops.data.project import Project
from ops.data.source_file import ReadingOptions, Row, SourceFile
from ops.data.transfer_progress import Show
from ops.errors import UsageError

MAX_EXAMPLE_CHARACTERS = 3000
_EXAMPLE_CANDIDATES = 200
_SHOWN_ROWS = 1_000
_EXAMPLE_CHARACTERS = 50  # of a text
_CHANGE_HINT = "Change the file or the options."


@dataclass(frozen=True)
class ResourceRequest:
    """What the command line says about the new resource. `key` is a name in the file; empty: none."""

    collection: str
    source: Path
    key: str = ""
    natural_key: bool = False
    private: bool = False
    writers: str = ""
    indexes: Sequence[Sequence[str]] = ()
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    force: bool = False


@dataclass(frozen=True)
class NewResource:
    """What was written. `rows` were read and validated; there is no test without an example."""

    class_file: Path
    test_file: Path | None
    fields: Sequence[Field]
    key: str
    rows: int
    free_text: bool


def show_nothing(_done: int, _total: int | None, _detail: str) -> None:
    """Show no progress."""


def write_resource(project: Project, request: ResourceRequest, show: Show = show_nothing) -> NewResource:
    """Write the class and its test. Raises UsageError and leaves nothing when the file cannot be a resource."""
    check_collection_name(request.collection)
    _ = project.python
    class_file = project.resources / f"{request.collection}.py"
    test_file = project.tests / f"test_{request.collection}.py"
    if class_file.exists() and not request.force:
        raise UsageError(f"src/resources/{class_file.name} exists already.", "Choose another name, or give --force.")
    file = SourceFile(request.source, request.reading)
    is_schema = file.format == "schema"
    draft, rows = (_draft_from_schema(file, request), 0) if is_schema else _draft_from_rows(file, request, show)
    replaced = {path: path.read_text() for path in (class_file, test_file) if path.exists()}
    try:
        has_test = _write_files(project, draft, class_file, test_file)
        if not is_schema:
            _validate_rows(project, file, request, draft, show)
    except BaseException:
        for path in (class_file, test_file):
            path.unlink(missing_ok=True)
            if path in replaced:
                path.write_text(replaced[path])
        raise
    return NewResource(class_file, test_file if has_test else None, draft.fields, draft.key, rows, draft.free_text)


def _write_files(project: Project, draft: ClassDraft, class_file: Path, test_file: Path) -> bool:
    """Write class and test, unless the class is faulty. Returns whether there is a test."""
    class_file.parent.mkdir(parents=True, exist_ok=True)
    class_file.write_text(render_class(draft))
    faults = _find_own_faults(project, class_file)
    if draft.example is not None and any("an example is not a valid item" in fault for fault in faults):
        # An example of a JSON Schema may contradict the schema.
        draft = replace(draft, example=None)
        class_file.write_text(render_class(draft))
        faults = _find_own_faults(project, class_file)
    if faults:
        raise UsageError(f"The file cannot be a resource: {faults[0].rstrip('.')}.", _CHANGE_HINT)
    if draft.example is None:
        test_file.unlink(missing_ok=True)
        project.format_files(class_file)
        return False
    test_file.parent.mkdir(parents=True, exist_ok=True)
    test_file.write_text(render_test(draft))
    project.format_files(class_file, test_file)
    return True


def _find_own_faults(project: Project, class_file: Path) -> list[str]:
    """The faults of a file; those of other files are not about it."""
    marks = (f"src/resources/{class_file.name}:", "src/resources/__init__.py:")
    return [fault for fault in project.find_class_faults() if fault.startswith(marks)]


def _draft_from_schema(file: SourceFile, request: ResourceRequest) -> ClassDraft:
    schema = SchemaFile(file)
    if request.natural_key:
        raise UsageError("A JSON Schema does not say which property is unique.", "Name it with --key.")
    key = schema.names[choose_named(schema.names, request.key, "--key")] if request.key else ""
    draft = _start_draft(request, schema.derive_fields(key), schema.names, key)
    return replace(draft, summary=schema.description, example=schema.choose_example())


def _iterate_rows(file: SourceFile, show: Show, step: str) -> Iterator[Row]:
    """The rows of a file. It shows how far a step is."""
    for row in file.iterate_rows():
        if row.number % _SHOWN_ROWS == 0:
            show(file.consumed_bytes, file.size_bytes, f"{row.number:,} rows {step}")
        yield row


def _draft_from_rows(file: SourceFile, request: ResourceRequest, show: Show) -> tuple[ClassDraft, int]:
    inference = FieldInference(file, request.reading)
    for row in _iterate_rows(file, show, "read"):
        inference.add(row)
    sources = list(inference.columns)
    names = map_field_names(sources) if file.is_text else {source: choose_field_name(source) for source in sources}
    key_source = ""
    if request.key:
        key_source = choose_named(names, request.key, "--key")
        check_key_source(file, inference, key_source)
    elif request.natural_key:
        key_source = choose_key_source(file, inference)
    key = names.get(key_source, "")
    indexed = [choose_named(names, word, "--index") for words in request.indexes for word in words]
    draft = _start_draft(request, inference.derive_fields(names, key, indexed), names, key)
    draft = replace(draft, free_text=bool(inference.free_text))
    return replace(draft, example=_choose_example(file, _create_builder(file, request, draft))), inference.rows


def _start_draft(request: ResourceRequest, fields: Sequence[Field], names: Mapping[str, str], key: str) -> ClassDraft:
    indexable = {field.name: field.indexable for field in fields}
    indexes = []
    for words in request.indexes:
        index = tuple(names[choose_named(names, word, "--index")] for word in words)
        for name in index:
            if name == key:
                raise UsageError(f"{name} is the key, which needs no index.", "Leave it out of --index.")
            if not indexable[name]:
                raise UsageError(
                    f"{name} cannot be in an index: its values have more than 512 characters, or are lists or objects.",
                    "Choose another field.",
                )
        indexes.append(index)
    return ClassDraft(
        request.collection,
        fields,
        request.source.name,
        key=key,
        private=request.private,
        writers=request.writers,
        indexes=indexes,
    )


def _create_builder(file: SourceFile, request: ResourceRequest, draft: ClassDraft) -> ItemBuilder:
    rules = {field.name: field.rule for field in draft.fields}
    names = {field.source: field.name for field in draft.fields}
    return ItemBuilder(rules, names, file.is_text, draft.key, request.reading.assume_utc)


def _choose_example(file: SourceFile, builder: ItemBuilder) -> dict[str, Any] | None:
    """The row with the most values among the first ones whose text is not too long."""
    best: dict[str, Any] | None = None
    for row in file.iterate_rows():
        if row.number > _EXAMPLE_CANDIDATES:
            break
        item = {name: _shorten(value) for name, value in builder.build(row).items()}
        is_short = len(json.dumps(item)) <= MAX_EXAMPLE_CHARACTERS
        if best is None or (is_short and _count_values(item) > _count_values(best)):
            best = item
    return best


def _shorten(value: Any) -> Any:
    """A value for an example: its texts fit on a line of the class."""
    if isinstance(value, list):
        return [_shorten(element) for element in value]
    if isinstance(value, dict):
        return {name: _shorten(inner) for name, inner in value.items()}
    if isinstance(value, Decimal):
        return float(value)  # in a list or an object
    if isinstance(value, str) and max(len(value.encode(errors="replace")), len(repr(value))) > _EXAMPLE_CHARACTERS:
        while max(len(value.encode(errors="replace")), len(repr(value))) >= _EXAMPLE_CHARACTERS:
            value = value[: len(value) * 9 // 10]
        return f"{value}…"
    return value


def _count_values(item: Mapping[str, Any]) -> int:
    return sum(value is not None for value in item.values())


def _validate_rows(project: Project, file: SourceFile, request: ResourceRequest, draft: ClassDraft, show: Show) -> None:
    """Validate each row with the class. Raises UsageError, which names the first row that it refuses."""
    builder = _create_builder(file, request, draft)

    def encode_items() -> Iterator[bytes]:
        for row in _iterate_rows(file, show, "validated"):
            try:
                yield encode_escaped(builder.build(row))
            except RowError as error:
                place = file.describe_place(row)
                raise UsageError(f"{place[:1].upper()}{place[1:]}: {error}.", "Correct it.") from None

    if faults := project.find_invalid_items(draft.collection, encode_items()):
        number, fault = faults[0]
        raise UsageError(f"Row {number} of {file.path} cannot be an item: {fault.rstrip('.')}.", _CHANGE_HINT)
