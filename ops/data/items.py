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


# In a list or an object a number with more digits than a float keeps is rounded, as in the service.
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=float)


def encode_item(item: Mapping[str, Any]) -> bytes:
    """The JSON text of an item. Raises UnicodeEncodeError for a text that is not valid Unicode."""
    return _ENCODER.encode(item).encode()


class RowError(ValueError):
    """A row that cannot become an item. `faults` are pairs of field and reason."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" if name else reason for name, reason in faults))
        self.faults = faults


@dataclass(frozen=True)
class ItemBuilder:
    """Makes items of rows. `names` maps the names of a header to fields, `rules` the fields to what they accept.

    `is_text` says that the values are cells of CSV. In JSON Lines a name that is no field leads to the field that
    `choose_field_name` says.
    """

    rules: Mapping[str, FieldRule]
    names: Mapping[str, str]
    is_text: bool
    key: str = ""
    assume_utc: bool = False

    def build(self, row: Row) -> dict[str, Any]:
        """The item of a row. Raises RowError."""
        if row.fault:
            raise RowError([("", row.fault)])
        item: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for source, value in row.values.items():
            name = self._choose_name(source)
            if name in item:
                faults.append((name, f"Two names of the line lead to this field, one of them {source!r}"))
                continue
            try:
                self._add_value(item, name, value)
            except CellError as error:
                faults.append((name, str(error)))
        if faults:
            raise RowError(faults)
        return item

    def _choose_name(self, source: str) -> str:
        if source in self.names:
            return self.names[source]
        return source if source in self.rules else choose_field_name(source)

    def _add_value(self, item: dict[str, Any], name: str, value: Any) -> None:
        rule = self.rules.get(name)
        if rule is None:
            item[name] = value  # the service refuses it by its name
        elif not self.is_text:
            item[name] = self._convert_json(name, rule, value)
        elif not (value == "" if rule.kind == "text" else is_null(value)):
            item[name] = convert_cell(value, rule.kind, assume_utc=self.assume_utc)
        elif rule.required and not rule.nullable:
            if rule.kind != "text":
                raise CellError("A value is missing")
            item[name] = ""
        # Otherwise it is left out: null, or the default of the field.

    def _convert_json(self, name: str, rule: FieldRule, value: Any) -> Any:
        if name == self.key and type(value) is int:
            return str(value)
        if rule.kind == "decimal" and isinstance(value, Decimal):
            return f"{value:f}"
        if rule.kind == "datetime" and isinstance(value, str):
            return convert_cell(value, "datetime", assume_utc=self.assume_utc)
        return value
