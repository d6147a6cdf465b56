"""Files as they come: packed, in other encodings and dialects, with odd numbers. Each value stays what it is."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ops.data import rows_of_json
from ops.data.inference import FieldInference
from ops.data.items import ItemBuilder, encode_item
from ops.data.json_schema import SchemaFile
from ops.data.names import choose_field_name, map_field_names
from ops.data.source_file import ReadingOptions, SourceFile
from ops.errors import UsageError


def infer(path: Path, options: ReadingOptions | None = None) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The types of the fields, and the items as the service receives them."""
    options = options or ReadingOptions()
    file = SourceFile(path, options)
    inference = FieldInference(file, options)
    for row in file.iterate_rows():
        inference.add(row)
    sources = list(inference.columns)
    names = map_field_names(sources) if file.is_text else {source: choose_field_name(source) for source in sources}
    fields = inference.derive_fields(names)
    builder = ItemBuilder({field.name: field.rule for field in fields}, names, file.is_text)
    types = {field.name: field.annotation + ("" if field.required else "?") for field in fields}
    return types, [json.loads(encode_item(builder.build(row))) for row in file.iterate_rows()]


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pack(name: str, content: bytes, *others: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
        for other in others:
            archive.writestr(other, b"")
    return packed.getvalue()


TABLE = "name,n\nÅsa,1\n名🎉,2\n"
TABLE_ITEMS = [{"name": "Åsa", "n": 1}, {"name": "名🎉", "n": 2}]
SAME: dict[str, tuple[str, bytes, ReadingOptions]] = {
    "plain": ("t.csv", TABLE.encode(), ReadingOptions()),
    "mark of UTF-8": ("t.csv", TABLE.encode("utf-8-sig"), ReadingOptions()),
    "mark of UTF-16": ("t.csv", TABLE.encode("utf-16"), ReadingOptions()),
    "UTF-16 without mark": ("t.csv", TABLE.encode("utf-16-be"), ReadingOptions("utf-16-be")),
    "ends of Windows": ("t.csv", TABLE.replace("\n", "\r\n").encode(), ReadingOptions()),
    "ends of old": ("t.csv", TABLE.replace("\n", "\r").encode(), ReadingOptions()),
    "no last end": ("t.csv", TABLE.rstrip().encode(), ReadingOptions()),
    "empty lines": ("t.csv", TABLE.replace("\n", "\n \n\n").encode(), ReadingOptions()),
    "tab": ("t.tsv", TABLE.replace(",", "\t").encode(), ReadingOptions()),
    "semicolon": ("t.txt", TABLE.replace(",", ";").encode(), ReadingOptions()),
    "bar, no name ending": ("t", TABLE.replace(",", "|").encode(), ReadingOptions()),
    "gzip": ("t.csv.gz", gzip.compress(TABLE.encode()), ReadingOptions()),
    "gzip of another name": ("t.csv", gzip.compress(TABLE.encode()), ReadingOptions()),
    "bzip2": ("t.csv.bz2", bz2.compress(TABLE.encode()), ReadingOptions()),
    "xz": ("t.csv.xz", lzma.compress(TABLE.encode()), ReadingOptions()),
    "zip": ("t.csv.zip", pack("other.csv", TABLE.encode(), "__MACOSX/x", "folder/"), ReadingOptions()),
    "header in a comment": ("t.tsv", b"# about\n#" + TABLE.replace(",", "\t").encode(), ReadingOptions()),
    "comments": ("t.csv", b"# about\n\n# more\n" + TABLE.encode(), ReadingOptions()),
    "JSON Lines": ("t.jsonl", "\n".join(map(json.dumps, TABLE_ITEMS)).encode(), ReadingOptions()),
    "JSON Lines, UTF-16": ("t.ndjson", "\n".join(map(json.dumps, TABLE_ITEMS)).encode("utf-16"), ReadingOptions()),
    "JSON list": ("t.json", json.dumps(TABLE_ITEMS).encode(), ReadingOptions()),
    "JSON list, indented": ("t.json.gz", gzip.compress(json.dumps(TABLE_ITEMS, indent=2).encode()), ReadingOptions()),
    "JSON list, no name ending": ("t", json.dumps(TABLE_ITEMS, indent=2).encode(), ReadingOptions()),
    "JSON list, name of lines": ("t.jsonl", json.dumps(TABLE_ITEMS).encode(), ReadingOptions()),
}


@pytest.mark.parametrize("kind", SAME)
def test_one_table_in_many_forms(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_of_json, "_PIECE_CHARACTERS", 7)
    name, content, options = SAME[kind]
    types, items = infer(write(tmp_path, name, content), options)
    assert items == TABLE_ITEMS
    assert list(types) == ["name", "n"]
    assert types["n"] == "Annotated[int, Meta(ge=0)]"


VALUES: dict[str, tuple[str, str, str, list[Any]]] = {
    # name of the file, its text, type of the first field, its values
    "two names": ("t.csv", "a,a,a (2)\n1,2,3\n", "Annotated[int, Meta(ge=0)]", [1]),
    "leading zeros": ("t.csv", "a\n007\n10\n", "Annotated[str, Meta(min_length=1, max_length=8)]", ["007", "10"]),
    "largest int": ("t.csv", f"a\n{2**63 - 1}\n-{2**63}\n", "int", [2**63 - 1, -(2**63)]),
    "huge int": ("t.csv", f"a\n{2**63}\n1\n", "Annotated[Decimal, Digits(21, 0)]", [str(2**63), "1"]),
    "65 digits": ("t.csv", f"a\n{'9' * 65}\n", "Annotated[Decimal, Digits(65, 0)]", ["9" * 65]),
    "66 digits": ("t.csv", f"a\n{'9' * 66}\n", "Annotated[str, Meta(min_length=1, max_length=128)]", ["9" * 66]),
    "70 digits": ("t.csv", f"a\n{'9' * 70}\n", "Annotated[str, Meta(min_length=1, max_length=128)]", ["9" * 70]),
    "digits that a float keeps": ("t.csv", "a\n0.30000000000000004\n1e300\n", "Annotated[float, Meta(ge=0)]",
                                  [0.30000000000000004, 1e300]),
    "digits of a printed float": ("t.csv", "a\n1.000000000000000055511e-01\n", "Annotated[float, Meta(ge=0)]", [0.1]),
    "digits that a float changes": ("t.csv", "a\n0.12345678901234567891\n5\n", "Annotated[Decimal, Digits(23, 20)]",
                                    ["0.12345678901234567891", "5"]),
    "digits that nothing keeps": ("t.csv", "a\n1.2345678901234567891e-30\n",
                                  "Annotated[str, Meta(min_length=1, max_length=32)]", ["1.2345678901234567891e-30"]),
    "prices": ("t.csv", "a\n1.50\n-0.99\n", "Annotated[Decimal, Digits(5, 2)]", ["1.50", "-0.99"]),
    "other spellings of truth": ("t.csv", "a\nyes\nno\n", "Annotated[str, Meta(min_length=1, max_length=8)]",
                                 ["yes", "no"]),
    "truth": ("t.csv", "a,b\nTRUE,1\n,1\nFalse,1\n", "bool?", [True, None, False]),
    "Namibia": ("t.csv", "a\nNA\nDE\n", "Annotated[str, Meta(min_length=1, max_length=8)]", ["NA", "DE"]),
    "no value": ("t.csv", "a,b\nNA,1\n-,1\n3,1\n", "Annotated[int, Meta(ge=0)]?", [None, None, 3]),
    "spaces around": ("t.csv", "a,b\n x ,1\n", "Annotated[str, Meta(min_length=1, max_length=8)]", [" x "]),
    "days of other forms": ("t.csv", "a\n24.12.2026\n1/2/2026\n", "Annotated[str, Meta(min_length=1, max_length=16)]",
                            ["24.12.2026", "1/2/2026"]),
    "no such day": ("t.csv", "a\n2026-02-30\n", "Annotated[str, Meta(min_length=1, max_length=16)]", ["2026-02-30"]),
    "nanoseconds": ("t.csv", "a\n2026-01-01T00:00:00.123456789Z\n", "Annotated[str, Meta(min_length=1, max_length=32)]",
                    ["2026-01-01T00:00:00.123456789Z"]),
    "lines and marks": ("t.csv", 'a,b\n"x ""y""\n,z",1\n', "Annotated[str, Meta(min_length=1, max_length=8)]",
                        ['x "y"\n,z']),
    "no letters": ("t.csv", "a\n\x00\u200b\u202e\n", "Annotated[str, Meta(min_length=1, max_length=8)]",
                   ["\x00\u200b\u202e"]),
    "JSON: huge int": ("t.jsonl", f'{{"a": {2**70}}}\n', "Annotated[Decimal, Digits(24, 0)]", [2**70]),
    "JSON: many digits": ("t.jsonl", '{"a": 0.1234567890123456789012}\n{"a": 1}\n',
                          "Annotated[Decimal, Digits(25, 22)]", ["0.1234567890123456789012", 1]),
    "JSON: large int among floats": ("t.jsonl", f'{{"a": {2**53 + 1}}}\n{{"a": 0.5}}\n',
                                     "Annotated[Decimal, Digits(19, 1)]", [2**53 + 1, 0.5]),
    "JSON: list of large ints": ("t.jsonl", f'{{"a": [{2**53 + 1}]}}\n', "list[Any]", [[2**53 + 1]]),
    "JSON: no number": ("t.jsonl", '{"a": NaN, "b": [NaN]}\n{"a": 0.5, "b": []}\n', "Annotated[float, Meta(ge=0)]?",
                        [None, 0.5]),
    "JSON: nested": ("t.jsonl", '{"a": {"b": [{"c": null}], "d": 1.5}}\n', "dict[str, Any]",
                     [{"b": [{"c": None}], "d": 1.5}]),
}  # fmt: skip


@pytest.mark.parametrize("kind", VALUES)
def test_each_value_stays_what_it_is(kind: str, tmp_path: Path) -> None:
    name, text, annotation, values = VALUES[kind]
    types, items = infer(write(tmp_path, name, text))
    assert types["a"] == annotation
    assert [item.get("a") for item in items] == values


def test_texts_with_other_quotation(tmp_path: Path) -> None:
    path = write(tmp_path, "t.tsv", 'a\tb\n"Weird Al" Yankovic\t6"\n')
    with pytest.raises(UsageError, match="line 2") as caught:
        infer(path)
    assert "--quotes none" in caught.value.hint
    _, items = infer(path, ReadingOptions(quotes="none"))
    assert items == [{"a": '"Weird Al" Yankovic', "b": '6"'}]
    path = write(tmp_path, "t.csv", 'a,b\n"say \\"hi\\", you",1\n')
    _, items = infer(path, ReadingOptions(quotes="backslash"))
    assert items == [{"a": 'say "hi", you', "b": 1}]


def read(path: Path) -> Any:
    return SchemaFile(file) if (file := SourceFile(path, ReadingOptions())).format == "schema" else infer(path)


REFUSED: dict[str, tuple[str, bytes, str, str]] = {
    "Parquet": ("t.parquet", b"PAR1\x15\x04", "is Parquet, not text", "as CSV"),
    "Excel": ("t.xlsx", pack("xl/workbook.xml", b"", "[Content_Types].xml"), "is an Excel workbook", "as CSV"),
    "old Excel": ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Excel workbook", "as CSV"),
    "SQLite": ("t.db", b"SQLite format 3\x00", "is an SQLite database", "as CSV"),
    "several files": ("t.zip", pack("a.csv", b"", "b.csv"), "has 2 files", "give one"),
    "broken gzip": ("t.csv.gz", gzip.compress(b"a,b\n" * 9)[:-9], "cannot be read", "Check the file"),
    "broken zip": ("t.zip", pack("a.csv", b"a\n1\n")[:-9], "cannot be read", "Check the file"),
    "Windows text": ("t.csv", "a\n€\n".encode("cp1252"), "is not in utf-8", "cp1252"),
    "header or comment": ("t.csv", b"# a,b\n1,x\n", "header on line 1 or 2", "Remove # from the header"),
    "open quotation": ("t.csv", b'a,b\n1,2\n"3,4\n5,6\n', "line 3: a row that begins there does not end", "--quotes"),
    "broken list": ("t.json", b'[{"a": 1},\n {"a": 2}\n {"a": 3}]', "line 3: a comma", "Correct the line"),
    "list cut off": ("t.json", b'[{"a": 1},\n {"a": 2', "is not JSON: line 2", "Correct the line"),
    "list of numbers": ("t.json", b"[1, 2]", "Item 1 cannot be read: the item is not a JSON object", "Correct"),
    "one object with a list": ("t.json", b'{"n": 2,\n"rows": [{"a": 1}]}', "is not the JSON Schema", "jq -c '.rows[]'"),
    "one object of objects": ("t.json", b'{"x": {"a": 1},\n"y": {"a": 2}}', "is not the JSON Schema", "to_entries[]"),
    "objects on one line": ("t.json", b'{"x": {"a": 1}, "y": {"a": 2}}', "is not the JSON Schema", "{key} + .value"),
    "GeoJSON": ("t.geojson", b'{"type": "FeatureCollection", "features": [{"a": 1}\n]}', "is not the", ".features[]"),
    "infinity": ("t.jsonl", b'{"a": -Infinity}', "Line 1 cannot be read: the line is not JSON: -Infinity", "Correct"),
    "JSON: too many digits": ("t.jsonl", f'{{"a": 0.1}}\n{{"a": 1{"0" * 70}1}}'.encode(), "more digits", "as texts"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_come_in_is_one_sentence_and_the_way_out(kind: str, tmp_path: Path) -> None:
    name, content, sentence, hint = REFUSED[kind]
    with pytest.raises(UsageError) as caught:
        read(write(tmp_path, name, content))
    assert sentence in caught.value.message
    assert hint in caught.value.hint


def test_wide_tables_fit_into_a_page_of_the_database(tmp_path: Path) -> None:
    header = ",".join(f"c{at}" for at in range(300))
    types, _ = infer(write(tmp_path, "t.csv", f"{header}\n{','.join(['x' * 20] * 300)}\n"))
    lengths = [int(annotation.rpartition("=")[2].strip(")]?")) for annotation in types.values()]
    assert sum(4 * length + 1 if length < 64 else 21 for length in lengths) < 7800
    assert sum(4 * length for length in lengths if length <= 512) < 60_000


SCHEMA = {
    "$defs": {
        "base": {"properties": {"id": {"type": "string"}}, "required": ["id"]},
        "code": {"type": "string", "minLength": 2},
    },
    "allOf": [{"$ref": "#/$defs/base"}],
    "required": ["size"],
    "properties": {
        "code": {"allOf": [{"$ref": "#/$defs/code"}, {"maxLength": 5}]},
        "size": {"type": "integer", "minimum": 0.0, "maximum": 2**64},
        "on": {"enum": [True, False, None]},
        "rate": {"enum": [0.5, 1]},
        "unit": {"oneOf": [{"const": "m", "title": "Metre"}, {"const": "ft"}]},
        "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "text": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string", "pattern": "^x"}]},
        "mail": {"type": "string", "format": "email"},
        "tags": {"items": {"$ref": "#/$defs/code"}},
        "more": {"properties": {"a": {}}},
        "number": {"type": ["integer", "number", "null"]},
    },
}


@pytest.mark.parametrize("form", ["indented", "one line", "list of items", "packed"])
def test_words_of_json_schema(form: str, tmp_path: Path) -> None:
    document = {"type": "array", "items": SCHEMA, "$defs": SCHEMA["$defs"]} if form == "list of items" else SCHEMA
    content = json.dumps(document, indent=None if form == "one line" else 1).encode()
    path = write(tmp_path, "t.json", gzip.compress(content) if form == "packed" else content)
    fields = read(path).derive_fields()
    assert {field.name: field.annotation + ("" if field.required else "?") for field in fields} == {
        "item_id": "str",
        "code": "Annotated[str, Meta(min_length=2, max_length=5)]?",
        "size": "Annotated[int, Meta(ge=0)]",
        "on": "bool?",
        "rate": "float?",
        "unit": "Literal['m', 'ft']?",
        "day": "datetime.date?",
        "text": "str?",
        "mail": "str?",
        "tags": "list[Any]?",
        "more": "dict[str, Any]?",
        "number": "float?",
    }


def test_a_schema_that_no_class_can_have(tmp_path: Path) -> None:
    for schema, sentence in {
        '{"properties": {"a": {"type": "string", "pattern": "^\\\\p{L}$"}}}': "which Python does not understand",
        '{"properties": {"a": {"enum": ["x", 1]}}}': "enumeration of several types",
        '{"properties": {"a": {"oneOf": [{"type": "string"}, {"type": "object"}]}}}': "no single type",
        '{"properties": {"a": {"$ref": "other.json#/x"}}}': "refers to other.json",
        '{"allOf": [{"$ref": "#"}], "properties": {"a": {"type": "string"}}}': "in a circle",
    }.items():
        with pytest.raises(UsageError) as caught:
            read(write(tmp_path, "t.json", schema)).derive_fields()
        assert sentence in caught.value.message


def test_a_float_keeps_what_it_shows_again() -> None:
    for text in ("0.1", "123456789012345", "0.30000000000000004", "1.7976931348623157e308", "-0.0", "5e-324"):
        assert rows_of_json.keeps_number(text), text
    for text in ("0.12345678901234567", "9007199254740993", "1.00000000000000000001"):
        assert not rows_of_json.keeps_number(text), text
        assert Decimal(float(text)) != Decimal(text)
