"""`sluice new resource` writes a class that holds every row of a file, or ends with one sentence and leaves nothing."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from ops.commands import new
from ops.data import transfer_progress
from ops.data.names import choose_class_name, choose_field_name, map_field_names
from ops.free_text import add_free_text
from tests.ops.conftest import Sluice

ROOT = Path(__file__).resolve().parents[2]

ODD = '''# a comment
ID,Größe,class,Passenger Name,when,at,price,flag,code,delay,mixed,empty,long,datetime
1,1.5,a,"Łukasz, ""Lu""",2020-02-29,2020-01-01T10:00:00+02:00,1.50,true,007,NA,x1,,"line one
line two",2020-01-01 10:00
2,2,b,名前,2021-12-31,2020-01-01T10:00:00Z,22.25,FALSE,010,-3,12,,,2020-01-02 10:00
3,-3e2,,Ａ🎉,2020-01-01,2020-01-01 10:00:00Z,0.99,true,100,5,NA,,z,2020-01-03 10:00
'''


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the service's code and no resources."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "src" / "sluice", root / "src" / "sluice", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "src" / "resources").mkdir()
    (root / "src" / "resources" / "__init__.py").write_text("")
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "ruff").symlink_to(Path(sys.executable).parent / "ruff")
    script = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    (root / ".venv" / "bin" / "python").write_text(script)
    (root / ".venv" / "bin" / "python").chmod(0o755)
    monkeypatch.setattr(new, "REPOSITORY", root)
    return root


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def read_fields(document: Any) -> dict[str, tuple[str, bool]]:
    return {field["name"]: (field["type"], field["required"]) for field in document["fields"]}


def run_checkout(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=checkout, env={"PYTHONPATH": "src:."}, capture_output=True, text=True, check=False
    )


def test_types_optionality_and_bounds_of_csv(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    source = write(tmp_path, "odd.csv", ODD)
    document = bare_sluice("new", "resource", "odd_things", "--from", source, "--key", "ID", "--json").document
    assert read_fields(document) == {
        "item_id": ("Annotated[str, Meta(min_length=1, max_length=8)]", True),
        "grosse": ("float", True),
        "class_": ("Annotated[str, Meta(max_length=8)]", False),
        "passenger_name": ("Annotated[str, Meta(min_length=1, max_length=16)]", True),
        "when": ("datetime.date", True),
        "at": ("datetime.datetime", True),
        "price": ("Annotated[Decimal, Digits(6, 2)]", True),
        "flag": ("bool", True),
        "code": ("Annotated[str, Meta(min_length=1, max_length=8)]", True),
        "delay": ("int", False),
        "mixed": ("Annotated[str, Meta(min_length=1, max_length=8)]", True),
        "empty": ("Annotated[str, Meta(max_length=8)]", False),
        "long": ("Annotated[str, Meta(max_length=32)]", False),
        "datetime_": ("Annotated[str, Meta(min_length=1, max_length=16)]", True),
    }
    assert (document["key"], document["rows"]) == ("item_id", 3)
    text = (checkout / "src/resources/odd_things.py").read_text()
    assert '"""\'Passenger Name\' in the file."""' in text
    assert "From -3 to 5 in the file." in text


def test_the_class_and_its_test_are_sound(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    words = ("--key", "ID", "--index", "flag", "--index", "when,Größe", "--writers", "editors")
    output = bare_sluice("new", "resource", "odd_things", "--from", write(tmp_path, "odd.csv", ODD), *words)
    assert output.exit_code == 0, output
    assert "it holds all 3 rows" in output.stdout
    text = (checkout / "src/resources/odd_things.py").read_text()
    assert 'indexes=["flag", ("when", "grosse")]' in text
    assert 'writers="editors"' in text
    for tool in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        result = run_checkout(checkout, "-m", "ruff", *tool, "src/resources", "tests/resources")
        assert result.returncode == 0, result.stdout
    result = run_checkout(checkout, "-m", "pytest", "tests/resources/test_odd_things.py", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout


def test_real_data_with_nulls_and_dates(bare_sluice: Sluice, checkout: Path) -> None:
    source = Path(matplotlib.get_data_path()) / "sample_data" / "Stocks.csv"
    document = bare_sluice("new", "resource", "quotes", "--from", str(source), "--json", "--index", "date").document
    fields = read_fields(document)
    assert document["rows"] > 500
    assert fields["date"] == ("datetime.date", True)
    assert fields["googl"] == ("Annotated[float, Meta(ge=0)]", False)
    assert "gspc" in fields
    assert document["key"] is None


def test_types_of_json_lines(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    rows = [
        {"Name": "a", "n": 1, "x": 1, "tags": ["p", "q"], "more": {"a": [1]}, "at": "2026-01-01T00:00:00Z", "on": True},
        {"Name": "b", "n": 9 * 10**18, "x": 2.5, "tags": [], "more": {}, "at": "2026-01-02T00:00:00Z", "extra": None},
        {"Name": "", "n": -5, "x": None, "tags": ["r"], "more": {"b": None}, "at": "2026-01-03T00:00:00+02:00"},
    ]
    source = tmp_path / "rows.jsonl.gz"
    source.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    document = bare_sluice("new", "resource", "things", "--from", str(source), "--json").document
    assert read_fields(document) == {
        "name": ("Annotated[str, Meta(max_length=8)]", True),
        "n": ("int", True),
        "x": ("Annotated[float, Meta(ge=0)]", False),
        "tags": ("list[str]", True),
        "more": ("dict[str, Any]", True),
        "at": ("datetime.datetime", True),
        "on": ("bool", False),
        "extra": ("Annotated[str, Meta(max_length=8)]", False),
    }


def test_a_json_schema(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    schema = {
        "$defs": {"day": {"type": "string", "format": "date"}},
        "type": "object",
        "description": "A hut.",
        "required": ["code", "beds", "kind"],
        "properties": {
            "code": {"type": "string", "pattern": "^[A-Z]{3}$", "maxLength": 3, "examples": ["ABC"]},
            "beds": {"type": "integer", "minimum": 1, "examples": [4]},
            "kind": {"enum": ["open", "closed"]},
            "since": {"$ref": "#/$defs/day"},
            "height": {"type": ["number", "null"]},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "owner": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        },
    }
    source = write(tmp_path, "hut.schema.json", json.dumps(schema, indent=1))
    document = bare_sluice("new", "resource", "huts", "--from", source, "--key", "code", "--json").document
    assert read_fields(document) == {
        "code": ("Annotated[str, Meta(max_length=3, pattern='^[A-Z]{3}$')]", True),
        "beds": ("Annotated[int, Meta(ge=1)]", True),
        "kind": ("Literal['open', 'closed']", True),
        "since": ("datetime.date", False),
        "height": ("float", False),
        "note": ("str", False),
        "item_owner": ("Annotated[list[str], Meta(max_length=3)]", False),
    }
    text = (checkout / "src/resources/huts.py").read_text()
    assert '"""A hut."""' in text
    assert '"code": "ABC"' in text


REFUSED: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "no rows": ("a.csv", "a,b\n", (), "has no rows"),
    "nothing": ("a.csv", "", (), "has no header"),
    "no header": ("a.csv", "1,2.5\n3,4\n", (), "its first line has only values"),
    "ragged": ("a.csv", "a,b\n1,2\n3\n", (), "Line 3 cannot be read: the row has 1 cells, and the header 2"),
    "quotes": ("a.csv", 'a,b\n"1,2\n', (), "is not CSV"),
    "mixed types": ("a.jsonl", '{"a":1}\n{"a":"x"}\n', (), "'a' is a number on line 1 and a text on line 2"),
    "not JSON": ("a.jsonl", '{"a":1}\n{"a":\n', (), "Line 2 cannot be read: the line is not JSON"),
    "no object": ("a.jsonl", '{"a":1}\n[2]\n', (), "Line 2 cannot be read: the line is not a JSON object"),
    "one field of two names": ("a.jsonl", '{"a b":1,"a_b":2}\n', (), "would both be the field a_b"),
    "a list of numbers": ("a.json", "[1]", (), "Item 1 cannot be read"),
    "index on long text among others": (
        "a.csv",
        f"a,b\n{'x' * 600},{'y' * 600}\n",
        ("--index", "b,a"),
        "512 characters",
    ),
    "another schema": ("a.json", '{"type":"object",\n"properties":{}}', (), "is not the JSON Schema of an object"),
    "several types": ("a.json", '{"properties":\n{"a":{"type":["string","integer"]}}}', (), "no single type"),
    "lone surrogate": ("a.jsonl", '{"a":"\\ud800"}\n', (), "cannot be a"),
    "duplicate key": ("a.csv", "a,b\nx,1\nx,2\n", ("--key", "a"), "'x' stands in two rows"),
    "key with gaps": ("a.csv", "a,b\nx,1\n,2\n", ("--key", "a"), "some rows have no value"),
    "key with spaces": ("a.csv", "a,b\nx y,1\nz,2\n", ("--key", "a"), "characters A-Z a-z 0-9"),
    "no such key": ("a.csv", "a,b\nx,1\n", ("--key", "c"), "no column 'c' for --key"),
    "no natural key": ("a.csv", "a,b\nx,1\nx,1\n", ("--natural-key",), "No column has another text in every row"),
    "index on long text": ("a.csv", f"a,b\n{'x' * 600},1\n", ("--index", "a"), "more than 512 characters"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_a_resource_is_one_sentence(
    kind: str, bare_sluice: Sluice, checkout: Path, tmp_path: Path
) -> None:
    name, text, words, sentence = REFUSED[kind]
    output = bare_sluice("new", "resource", "things", "--from", write(tmp_path, name, text), *words)
    assert sentence in output.usage_error()
    assert [path.name for path in (checkout / "src/resources").glob("*.py")] == ["__init__.py"]
    assert not list((checkout / "tests").rglob("*.py"))


def test_other_mistakes_are_one_sentence(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    source = write(tmp_path, "a.csv", "a\nx\n")
    assert "cannot name a collection" in bare_sluice("new", "resource", "My-Things", "--from", source).usage_error()
    assert "cannot name a collection" in bare_sluice("new", "resource", "openapi", "--from", source).usage_error()
    assert "cannot be read" in bare_sluice("new", "resource", "things", "--from", "/nowhere.csv").usage_error()
    (tmp_path / "latin.csv").write_bytes("a\nmüll\n".encode("latin-1"))
    latin = str(tmp_path / "latin.csv")
    assert "is not in utf-8" in bare_sluice("new", "resource", "things", "--from", latin).usage_error()
    assert bare_sluice("new", "resource", "things", "--from", latin, "--encoding", "latin-1").exit_code == 0
    assert "exists already" in bare_sluice("new", "resource", "things", "--from", source).usage_error()
    assert bare_sluice("new", "resource", "things", "--from", source, "--force").exit_code == 0


def test_a_file_that_cannot_replace_a_class_leaves_it(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    assert bare_sluice("new", "resource", "things", "--from", write(tmp_path, "a.csv", "a\nx\n")).exit_code == 0
    before = (checkout / "src/resources/things.py").read_text()
    bad = write(tmp_path, "b.jsonl", '{"a":"\\ud800"}\n')
    assert bare_sluice("new", "resource", "things", "--from", bad, "--force").exit_code == 2
    assert (checkout / "src/resources/things.py").read_text() == before


def test_texts_that_look_like_an_attack_are_let_through(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    for name, text in {"quoted": 'АТ "БАНК"', "tag": "<b>", "program": "x; y", "typographic": "“so-called”"}.items():
        row = json.dumps({"a": {"b": ["plain", text]}, "c": 1})
        source = write(tmp_path, "a.jsonl", row)
        output = bare_sluice("new", "resource", name, "--from", source)
        assert "through the firewall" in output.stdout
        assert "free_text=True" in (checkout / f"src/resources/{name}.py").read_text()
    words = "Pago Pago Int'l (PPG) & Ta'u, 50% - no. 7/8"
    source = write(tmp_path, "a.csv", f'a,b\n"{words}",1\n')
    assert not bare_sluice("new", "resource", "plain", "--from", source, "--json").document["free_text"]
    assert "free_text" not in (checkout / "src/resources/plain.py").read_text()
    parameters = add_free_text({"FreeTextCollections": "other,tag"}, checkout / "src/resources")
    assert parameters == {"FreeTextCollections": "other,tag,program,quoted,typographic"}


LINT = """l,O,type,password,path,host,remark,limit,select,self
1,2,a,hunter2,/tmp/x,0.0.0.0,"a long text of many words, which goes on and on until no line of a class can have it all,
and then has 名前 and 🎉 in it, and \x00\u200b",5,x,y
"""


def test_the_checks_of_the_project_take_each_class(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    source = write(tmp_path, "lint.csv", LINT)
    assert bare_sluice("new", "resource", "things", "--from", source, "--index", "remark,l").exit_code == 0
    for tool in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        result = run_checkout(checkout, "-m", "ruff", *tool, "src/resources", "tests/resources")
        assert result.returncode == 0, result.stdout


def test_a_list_of_objects_is_a_file_of_items(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    source = write(tmp_path, "a.json", '[{"a": 1, "b": null},\n{"a": 0.12345678901234567, "c": [0.12345678901234567]}]')
    document = bare_sluice("new", "resource", "things", "--from", source, "--json").document
    assert read_fields(document)["a"] == ("Annotated[Decimal, Digits(20, 17)]", True)
    bad = write(tmp_path, "b.json", '[{"a": 1},\n{"a": "\\ud800"}]')
    assert "on item 1 and a text on item 2" in bare_sluice("new", "resource", "other", "--from", bad).usage_error()


def test_many_wide_texts_fit_into_a_row(bare_sluice: Sluice, checkout: Path, tmp_path: Path) -> None:
    header = ",".join(f"c{number}" for number in range(100))
    source = write(tmp_path, "wide.csv", f"{header}\n{','.join(['x' * 400] * 100)}\n")
    assert bare_sluice("new", "resource", "wide", "--from", source).exit_code == 0


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Passenger Name", "passenger_name"), ("class", "class_"), ("ID", "item_id"), ("deleted", "item_deleted"),
        ("Limit", "item_limit"),
        ("2020", "field_2020"), ("Größe", "grosse"), ("unitPrice", "unit_price"), ("^GSPC", "gspc"), ("%", "u25"),
        ("datetime", "datetime_"), ("名前", "u540d_u524d"), ("a" * 60, "a" * 48), ("Ærø", "aero"),
    ],
)  # fmt: skip
def test_names_become_fields(source: str, name: str) -> None:
    assert choose_field_name(source) == name


def test_names_of_a_header_stay_apart() -> None:
    assert map_field_names(["A b", "a_b", "a-b"]) == {"A b": "a_b", "a_b": "a_b_2", "a-b": "a_b_3"}
    assert [choose_class_name(name) for name in ("blog_entries", "glasses", "news", "items", "x")] == [
        "BlogEntry", "Glass", "New", "ItemItem", "X",
    ]  # fmt: skip


def test_a_long_file_shows_how_far_it_is(
    bare_sluice: Sluice, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_progress, "LINE_INTERVAL_SECONDS", 0.0)
    source = write(tmp_path, "a.csv", "a\n" + "x\n" * 2500)
    output = bare_sluice("new", "resource", "things", "--from", source)
    assert [line.partition(" (")[0] for line in output.stderr.splitlines()] == [
        "new resource: 1,000 rows read", "new resource: 2,000 rows read",
        "new resource: 1,000 rows validated", "new resource: 2,000 rows validated",
    ]  # fmt: skip
