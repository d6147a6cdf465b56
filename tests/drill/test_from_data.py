"""From a clean clone to three served collections of real data: each step as an adopter takes it, with its time."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from local.stack.folder import REPOSITORY
from ops.aws import Stack, choose_target
from ops.errors import EXIT_INTERRUPTED
from ops.service import fetch_machine_token
from tests.drill.real_tables import Item, Table, expect_items, install_packages, read_items, write_tables

# For the loads to apply what an import sent.
APPLY_SECONDS = 120
# For a table of a few thousand rows, from the first command to the last answer.
FEW_ROWS, FEW_ROWS_SECONDS = 10_000, 300
# The import of a table with so many rows is interrupted once.
MANY_ROWS = 100_000
READ_ITEMS = 50


class Clone:
    """A clean clone with a stack of its own, and the environments of this checkout, which are installed already."""

    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "clone", "--quiet", "--local", REPOSITORY, root], check=True)
        for name in (".venv", ".tools"):
            (root / name).symlink_to(REPOSITORY / name)
        hidden = {"SLUICE_LOCAL", "PYTHONPATH", "SLUICE_TOKEN", "SLUICE_CLIENT_KEY"}
        self._environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def run(self, *words: str) -> str:
        process = subprocess.run(
            words, cwd=self.root, env=self._environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, f"{' '.join(words)}\n{process.stdout[-2000:]}\n{process.stderr[-4000:]}"
        return process.stdout

    def interrupt_import(self, table: Table) -> int:
        """Begin an import, and interrupt it as Ctrl-C does. Returns the rows that it says are sent."""
        # A shell lets the commands that it runs in the background ignore the signal.
        words = ["env", "--default-signal=INT", "./sluice", "import", str(table.file), "--collection", table.collection]
        state = table.file.with_name(f"{table.file.name}.import.json")
        with subprocess.Popen(
            words,
            cwd=self.root,
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while process.poll() is None and not (state.exists() and json.loads(state.read_text())["rows"]):
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            error = process.communicate()[1]
        assert process.returncode == EXIT_INTERRUPTED, error
        rows = int(json.loads(state.read_text())["rows"])
        assert f"Interrupted after {rows:,} rows." in error
        return rows

    def connect(self) -> httpx.Client:
        """A client of the public API, as the machine client of the stack."""
        os.environ["SLUICE_LOCAL"] = str(self.root / ".local")
        try:
            stack = Stack(choose_target(None, None, None))
            headers = {"authorization": f"Bearer {fetch_machine_token(stack)}"}
            assert int(float(stack.parameters["ApiCacheSize"]) * 10) > 0, "the API cache is off"
            return httpx.Client(base_url=stack.service_url, headers=headers, timeout=60, trust_env=False)
        finally:
            del os.environ["SLUICE_LOCAL"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    clone = Clone(tmp_path_factory.mktemp("adopter") / "sluice")
    yield clone
    clone.run("make", "down")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    packages, folder = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("data")
    install_packages(packages)
    return write_tables(packages, folder)


class Steps:
    """Prints the time of each step."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def end(self, name: str) -> None:
        now = time.monotonic()
        print(f"  {name:<48}{now - self._last:7.1f} s", flush=True)
        self._last = now

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def read_collection(client: httpx.Client, collection: str, query: str = "") -> list[Item]:
    """The data of all items, page by page."""
    items: list[Item] = []
    after = ""
    while True:
        path = f"/v1/{collection}?limit=500&{quote(query, safe='=&.')}{f'&after={after}' if after else ''}"
        page = client.get(path).raise_for_status().json()
        items += [item["data"] for item in page["items"]]
        after = page.get("next") or ""
        if not after:
            return items


def sort_key(item: Item) -> str:
    return json.dumps(item, sort_keys=True, default=str, ensure_ascii=False)


def assert_equal(read: list[Item], expected: list[Item], what: str) -> None:
    differing = Counter(map(sort_key, read))
    differing.subtract(Counter(map(sort_key, expected)))
    wrong = sorted((key, count) for key, count in differing.items() if count)
    assert not wrong, f"{what}: {len(wrong)} items differ, such as {wrong[:2]}"


@pytest.mark.timeout(1800)
def test_each_table_is_served_and_read_back_equal(clone: Clone, tables: list[Table]) -> None:
    created: list[str] = []
    for table in tables:
        print(
            f"\n{table.collection}: {len(table.rows):,} rows of {table.file.name}, {table.file.stat().st_size:,} bytes"
        )
        steps = Steps()
        words = ("--from", str(table.file), "--json", *table.options)
        report = json.loads(clone.run("./sluice", "new", "resource", table.collection, *words))
        assert report["rows"] == len(table.rows)
        fields = report["fields"]
        steps.end("sluice new resource")
        clone.run("make", "up")
        steps.end("make up")
        if len(table.rows) >= MANY_ROWS:
            steps.end(f"sluice import, interrupted after {clone.interrupt_import(table):,} rows")
        loaded = json.loads(
            clone.run("./sluice", "import", str(table.file), "--collection", table.collection, "--json")
        )
        assert (loaded["accepted"], loaded["rejected"]) == (len(table.rows), 0)
        steps.end("sluice import")
        created.append(table.collection)
        with clone.connect() as client:
            expected = read_back(client, table, fields, steps)
            check_filters(client, table, expected, fields, steps)
            if report["key"]:
                read_items_twice(client, table, expected, report["key"], steps)
        exported = export(clone, table)
        assert_equal(read_items(exported, fields), expected, "the export")
        steps.end("sluice export, compared")
        print(f"  {'all':<48}{steps.seconds:7.1f} s")
        if len(table.rows) < FEW_ROWS:
            assert steps.seconds < FEW_ROWS_SECONDS
    changes = clone.run("git", "status", "--porcelain", "--untracked-files=all").splitlines()
    added = {f"?? src/resources/{name}.py" for name in created}
    assert set(changes) == added | {f"?? tests/resources/test_{name}.py" for name in created}


def read_back(client: httpx.Client, table: Table, fields: list[Any], steps: Steps) -> list[Item]:
    """Read the collection until all rows are applied, and compare them. Returns the items that were expected."""
    expected = expect_items(table, fields)
    deadline = time.monotonic() + APPLY_SECONDS
    items: list[Item] = []
    while len(items) < len(expected) and time.monotonic() < deadline:
        time.sleep(0.5)
        items = read_collection(client, table.collection)
    assert_equal(read_items(items, fields), expected, "what the API has")
    steps.end(f"applied, and read back equal ({len(items) // 500 + 1} pages)")
    return expected


def check_filters(client: httpx.Client, table: Table, expected: list[Item], fields: list[Any], steps: Steps) -> None:
    for query, matches in table.filters.items():
        wanted = [item for item in expected if matches(item)]
        assert 0 < len(wanted) < len(expected), query
        listed = read_collection(client, table.collection, query)
        assert_equal(read_items(listed, fields), wanted, query)
        # From the cache it is the same.
        assert read_collection(client, table.collection, query) == listed
        steps.end(f"filter {query} ({len(wanted):,} items)")


def read_items_twice(client: httpx.Client, table: Table, expected: list[Item], key: str, steps: Steps) -> None:
    """Read some items by their ids, the second time from the API cache."""
    for item in expected[:: len(expected) // READ_ITEMS]:
        path = f"/v1/{table.collection}/{item[key]}"
        answers = [client.get(path).raise_for_status() for _ in range(2)]
        assert [answer.json()["data"] for answer in answers] == [item, item]
    steps.end("items by id, each twice")


def export(clone: Clone, table: Table) -> list[Item]:
    target = table.file.with_suffix(".export.jsonl")
    clone.run("./sluice", "export", str(target), "--collection", table.collection)
    return [json.loads(line) for line in target.read_text("utf-8").splitlines()]
