"""From files to served collections with three commands. The tables are real ones that installed packages ship.

It runs last, because it deploys the stack from another tree.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import matplotlib
import pytest
from rich._emoji_codes import EMOJI

from local.stack import Stack
from testkit.checkout import copy_checkout
from tests.stack.waiting import eventually

pytestmark = [pytest.mark.stack("second", last=True), pytest.mark.slow]

STOCKS = Path(matplotlib.get_data_path()) / "sample_data" / "Stocks.csv"
VARIATION_SELECTOR = "\ufe0f"


def write_emoji(path: Path) -> list[dict[str, Any]]:
    """A table of some thousand rows with signs of every plane, and nulls. Returns the items that it leads to."""
    items = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Name", "class", "Code Points", "length", "selector", "is plain", "remark"])
        for name, sign in EMOJI.items():
            points = " ".join(f"{ord(character):04X}" for character in sign)
            selector = sign.index(VARIATION_SELECTOR) if VARIATION_SELECTOR in sign else None
            # The firewall takes the last words for an attack, unless the class says that texts are free.
            remark = f'{sign}, «{name}»\n{sign[::-1]} “so-called”; JSC "{name}" or "1"="1"' if len(sign) > 2 else ""
            cells = [name, sign, points, len(sign), "" if selector is None else selector, len(sign) == 1, remark]
            writer.writerow(cells)
            item = dict(
                zip(("name", "class_", "code_points", "length", "selector", "is_plain", "remark"), cells, strict=True)
            )
            items.append(item | {"selector": selector, "remark": remark or None})
    return items


def encode(item: dict[str, Any]) -> str:
    return json.dumps(item, sort_keys=True)


def read_stocks() -> list[dict[str, Any]]:
    with STOCKS.open(newline="") as file:
        file.readline()  # a comment
        header, *rows = csv.reader(file)
    names = [name.strip("^").lower() for name in header]
    return [
        {
            name: (cell if name == "date" else float(cell) if cell else None)
            for name, cell in zip(names, row, strict=True)
        }
        for row in rows
    ]


def test_two_tables_are_served_by_three_commands(stack: Stack, machine: httpx.Client, tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    environment = {**os.environ, "SLUICE_LOCAL": str(stack.folder.root), "PYTHONPATH": "src:."}

    def run(*words: str) -> str:
        process = subprocess.run(
            [sys.executable, "-m", *words], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    def export(collection: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in run("ops", "export", "--collection", collection).splitlines()]

    emoji_file = tmp_path / "emoji.csv"
    emoji = write_emoji(emoji_file)
    stocks = read_stocks()
    assert len(emoji) > 3000
    indexes = ("--index", "length", "--index", "is plain,Name", "--index", "selector")
    run("ops", "new", "resource", "emoji", "--from", str(emoji_file), "--writers", "editors", *indexes)
    run("ops", "new", "resource", "stocks", "--from", str(STOCKS), "--natural-key")
    run("local.stack", "up")
    sources = {"emoji": emoji_file, "stocks": tmp_path / "stocks.csv"}
    sources["stocks"].write_bytes(STOCKS.read_bytes())
    for collection, rows in (("emoji", emoji), ("stocks", stocks)):
        report = json.loads(run("ops", "import", str(sources[collection]), "--collection", collection, "--json"))
        assert (report["accepted"], report["rejected"]) == (len(rows), 0)

        def has_all(collection: str = collection, rows: list[dict[str, Any]] = rows) -> bool:
            return len(export(collection)) == len(rows)

        eventually(has_all)
        assert sorted(export(collection), key=encode) == sorted(rows, key=encode)
    for query, count in {
        "length=1": sum(item["length"] == 1 for item in emoji),
        "is_plain=false&name.gte=zebra&name.lt=zz": sum(
            not item["is_plain"] and "zebra" <= item["name"] < "zz" for item in emoji
        ),
        "selector.gte=3": sum((item["selector"] or 0) >= 3 for item in emoji),
    }.items():
        listed = machine.get(f"/v1/emoji?{query}&limit=500").raise_for_status().json()["items"]
        assert len(listed) == min(count, 500), query
        assert count
    # The same file once more writes the same items, not others.
    run("ops", "import", str(emoji_file), "--collection", "emoji")
    target = tmp_path / "emoji.jsonl"
    run("ops", "export", str(target), "--collection", "emoji")
    assert len(target.read_text().splitlines()) == len(emoji)
    assert machine.get("/v1/stocks/1990-01-01").json()["data"]["googl"] is None
