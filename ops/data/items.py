"""Fields of a resource class that is to be written, and the rules by which rows of a file become items."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ops.data.cells import CellError, Kind, convert_cell, is_null
from ops.data.names import choose_field_name
from ops.data.source_file import Row


@dataclass(frozen=True)
class FieldRule:
    """What a field accepts: its kind, whether it may be null, whether it must be there."""

    kind: Kind
    nullable: bool
    required: bool


@dataclass(frozen=True)
class Field:
    """A field. `annotation` is the Python type without `| None`; `source` is its name in the file,
    `remarks` are for the reader.

    An index can hold it if it is `indexable`.
    """

    name: str
    source: str
    kind: Kind
    annotation: str
    required: bool
    remarks: tuple[str, ...] = ()
    indexable: bool = False

    @property
    def rule(self) -> FieldRule:
        return FieldRule(self.kind, nullable=not self.required, required=self.required)


_NEW, _ABSENT = object(), object()
_MAX_KEPT, _MAX_KEPT_CHARACTERS = 1_000, 64

# In a list or an object a number with more digits than a float keeps is rounded, as in the service.
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=float)
_ESCAPING_ENCODER = json.JSONEncoder(default=float)


def encode_item(item: Mapping[str, Any]) -> bytes:
    """The JSON text of an item. Raises UnicodeEncodeError for a text that is not valid Unicode."""
    return _ENCODER.encode(item).encode()


def encode_escaped(item: Mapping[str, Any]) -> bytes:
    """The JSON text of an item in ASCII, also of a text that is not valid Unicode."""
    return _ESCAPING_ENCODER.encode(item).encode()


class RowError(ValueError):
    """A row that cannot become an item. `faults` are pairs of field and reason."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" if name else reason for name, reason in faults))
        self.faults = faults


class ItemBuilder:
    """Makes items of rows. `names` maps the names of a header to fields, `rules` the fields to what they accept.

    `is_text` says that the values are cells of CSV. In JSON a name that is no field leads to the field that
    `choose_field_name` says.
    """

    def __init__(
        self,
        rules: Mapping[str, FieldRule],
        names: Mapping[str, str],
        is_text: bool,
        key: str = "",
        assume_utc: bool = False,
    ) -> None:
        self._rules, self._names, self._is_text = rules, dict(names), is_text
        self._key, self._assume_utc = key, assume_utc
        # The last cells of each field, and the values that they became: most columns repeat theirs.
        self._values: dict[str, dict[str, Any]] = {name: {} for name in [*rules, *names.values()]}

    def build(self, row: Row) -> dict[str, Any]:
        """The item of a row. Raises RowError."""
        if row.fault:
            raise RowError([("", row.fault)])
        return self._build_from_cells(row.values) if self._is_text else self._build_from_json(row.values)

    def _build_from_cells(self, cells: Mapping[str, str]) -> dict[str, Any]:
        item: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for source, text in cells.items():
            name = self._names[source]
            values = self._values[name]
            value = values.get(text, _NEW)
            if value is _NEW:
                try:
                    value = self._convert_cell(name, text)
                except CellError as error:
                    faults.append((name, str(error)))
                    continue
                if len(text) <= _MAX_KEPT_CHARACTERS:
                    if len(values) >= _MAX_KEPT:
                        values.clear()
                    values[text] = value
            if value is not _ABSENT:
                item[name] = value
        if faults:
            raise RowError(faults)
        return item

    def _convert_cell(self, name: str, text: str) -> Any:
        rule = self._rules.get(name)
        if rule is None:
            return text  # the service refuses it by its name
        if not (text == "" if rule.kind == "text" else is_null(text)):
            return convert_cell(text, rule.kind, assume_utc=self._assume_utc)
        if rule.nullable or not rule.required:
            return _ABSENT  # null, or the default of the field
        if rule.kind != "text":
            raise CellError("A value is missing")
        return ""

    def _build_from_json(self, values: Mapping[str, Any]) -> dict[str, Any]:
        item: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for source, value in values.items():
            name = self._choose_name(source)
            if name in item:
                faults.append((name, f"Two names of the line lead to this field, one of them {source!r}"))
                continue
            try:
                item[name] = self._convert_json(name, value)
            except CellError as error:
                faults.append((name, str(error)))
        if faults:
            raise RowError(faults)
        return item

    def _choose_name(self, source: str) -> str:
        if source not in self._names:
            self._names[source] = source if source in self._rules else choose_field_name(source)
        return self._names[source]

    def _convert_json(self, name: str, value: Any) -> Any:
        rule = self._rules.get(name)
        if rule is None:
            return value  # the service refuses it by its name
        if name == self._key and type(value) is int:
            return str(value)
        if rule.kind == "decimal" and isinstance(value, Decimal):
            return f"{value:f}"
        if rule.kind == "datetime" and isinstance(value, str):
            return convert_cell(value, "datetime", assume_utc=self._assume_utc)
        return value
