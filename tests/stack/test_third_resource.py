"""A third resource, with an index, needs one file and a redeploy, also where lists are cached; `make dev` serves its
changes.

It runs last, because it deploys the stack from another tree.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import httpx
import pytest

from local.stack import Stack
from testkit.checkout import copy_checkout
from tests.stack.waiting import eventually

pytestmark = [pytest.mark.stack("second", last=True), pytest.mark.slow]

LONGEST_SECONDS = 120

FILE = '''
"""Notes, for everyone."""

from typing import Annotated
from msgspec import Meta
from sluice.model.resource import Item, resource


@resource("notes", key="slug", indexes=("text",))
class Note(Item):
    """A note."""

    slug: str
    text: Annotated[str, Meta(max_length=100)]
    stars: int = 3
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with a third resource."""
    copy = copy_checkout(tmp_path_factory.mktemp("copy") / "checkout")
    (copy / "src/resources/notes.py").write_text(FILE)
    return copy


def start(checkout: Path, stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of the checkout for the stack."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=checkout,
        env={**os.environ, "SLUICE_LOCAL": str(stack.folder.root), "PYTHONPATH": "src:."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def up(checkout: Path, stack: Stack) -> None:
    process = start(checkout, stack, "local.stack", "up")
    output, _ = process.communicate()
    assert process.returncode == 0, output


def read_summary(machine: httpx.Client) -> str:
    """What the contract says of the collection."""
    tags = machine.get("/v1/openapi.json").json()["tags"]
    return next(str(tag["description"]) for tag in tags if tag["name"] == "notes")


@contextmanager
def developing(checkout: Path, stack: Stack) -> Iterator[Iterator[str]]:
    """The lines of `make dev`, which waits for changes; Ctrl-C ends it."""
    process = start(checkout, stack, "local.dev")
    assert process.stdout
    lines = iter(process.stdout)
    # Without its line, the test would wait for ever.
    watchdog = Timer(LONGEST_SECONDS, process.kill)
    watchdog.start()
    try:
        wait_for_line(lines, "serving each change")
        yield lines
        process.send_signal(signal.SIGINT)
        assert "The local stack runs on" in "".join(lines)
        assert process.wait() == 0
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


def wait_for_line(lines: Iterator[str], text: str) -> str:
    seen = []
    for line in lines:
        seen.append(line)
        if text in line:
            return line
    pytest.fail(f"no line with {text!r} in {seen}")


def test_one_file_and_a_redeploy(stack: Stack, machine: httpx.Client, checkout: Path) -> None:
    assert machine.put("/v1/notes/first", json={"slug": "first", "text": "x"}).status_code == 404
    up(checkout, stack)
    contract = machine.get("/v1/openapi.json").json()
    assert set(contract["paths"]["/v1/notes/{id}"]) == {"get", "put", "delete"}
    assert contract["components"]["schemas"]["Note"]["required"] == ["slug", "text"]
    accepted = machine.put("/v1/notes/first", json={"slug": "first", "text": "x"})
    assert accepted.status_code == 202
    response = eventually(lambda: machine.get("/v1/notes/first") if machine.get("/v1/notes/first").is_success else None)
    assert response.json()["data"] == {"slug": "first", "text": "x", "stars": 3}
    # A cache key without the filter would give the second list the answer of the first one.
    listed = {text: machine.get("/v1/notes", params={"text": text}).json()["items"] for text in ("x", "y")}
    assert [item["data"] for item in listed["x"]] == [response.json()["data"]]
    assert listed["y"] == []
    for end in ("gt", "gte", "lt", "lte"):
        assert machine.get("/v1/notes", params={f"text.{end}": "x"}).is_success


def test_make_dev_serves_a_change_and_keeps_the_old_code_at_a_fault(
    stack: Stack, machine: httpx.Client, checkout: Path
) -> None:
    resource, handler = checkout / "src/resources/notes.py", checkout / "src/sluice/handlers/openapi.py"
    up(checkout, stack)
    text = handler.read_text()
    with developing(checkout, stack) as lines:
        resource.write_text(FILE.replace("A note.", "A thought."))
        assert "replaced the code of" in wait_for_line(lines, "src/resources/notes.py")
        # The distribution keeps the contract for minutes; this is the new one all the same.
        assert read_summary(machine).startswith("A thought.")
        handler.write_text(f"{text}\ndef broken(:\n")
        wait_for_line(lines, f"src/sluice/handlers/openapi.py:{text.count(chr(10)) + 2}: invalid syntax")
        assert "still served" in wait_for_line(lines, "src/sluice/handlers/openapi.py")
        assert read_summary(machine).startswith("A thought.")
    handler.write_text(text)
    resource.write_text(FILE)
    # CloudFormation has deployed these sources before, and does not know that others were served since.
    up(checkout, stack)
    httpx.post(f"{stack.edge.stage_url}/_edge/forget", trust_env=False)
    assert read_summary(machine).startswith("A note.")


def test_make_dev_migrates_the_tables_and_keeps_the_old_code_where_that_is_refused(
    stack: Stack, machine: httpx.Client, checkout: Path
) -> None:
    file = checkout / "src/resources/notes.py"
    up(checkout, stack)
    with developing(checkout, stack) as lines:
        file.write_text(FILE.replace("stars: int = 3", "stars: int = 4\n    page: int = 1"))
        assert "add page BIGINT" in wait_for_line(lines, "src/resources/notes.py")
        assert machine.put("/v1/notes/second", json={"slug": "second", "text": "x", "page": 2}).status_code == 202
        file.write_text(FILE)
        assert "page is no longer a field" in wait_for_line(lines, "The migration failed")
        assert "still served" in wait_for_line(lines, "src/resources/notes.py")
    data = eventually(lambda: machine.get("/v1/notes/second").json().get("data"))
    assert data == {"slug": "second", "text": "x", "stars": 4, "page": 2}
