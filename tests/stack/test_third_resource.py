"""A third resource, with an index, needs one file and a redeploy, also where lists are cached.

It runs last, because it deploys the stack from another tree.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.stack import Stack
from local.stack.folder import REPOSITORY
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second", last=True)

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


def copy_checkout(copy: Path) -> Path:
    """Copy the checkout and its build caches."""
    ignored = shutil.ignore_patterns(".git", ".venv", ".tools", ".local", ".aws-sam", "__pycache__", ".*_cache")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    for tools in (".venv", ".tools"):
        (copy / tools).symlink_to(REPOSITORY / tools)
    for folder in (".local/package/cache", ".aws-sam/deps"):
        shutil.copytree(REPOSITORY / folder, copy / folder)
    for record in (".local/package/build.toml", ".local/package/fingerprint"):
        (copy / record).write_text((REPOSITORY / record).read_text().replace(str(REPOSITORY), str(copy)))
    return copy


def test_one_file_and_a_redeploy(stack: Stack, machine: httpx.Client, tmp_path: Path) -> None:
    assert machine.put("/v1/notes/first", json={"slug": "first", "text": "x"}).status_code == 404
    copy = copy_checkout(tmp_path / "checkout")
    (copy / "src/resources/notes.py").write_text(FILE)
    subprocess.run(
        [sys.executable, "-m", "local.stack", "up"],
        cwd=copy,
        env={**os.environ, "SLUICE_LOCAL": str(stack.folder.root), "PYTHONPATH": "src:."},
        check=True,
        capture_output=True,
    )
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
