"""Tests and benchmarks share the test kit, and do not import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def list_imported_packages(folder: str) -> Iterator[tuple[str, str]]:
    """The files of a folder, with the top-level packages that they import."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((str(file), alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(file), (node.module or "").split(".")[0]


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("tests", {"bench"}),
        ("bench", {"tests"}),
        ("testkit", {"tests", "bench"}),
        ("local", {"tests", "bench", "testkit"}),
    ],
)
def test_folders_that_are_not_deployed_are_independent(folder: str, others: set[str]) -> None:
    imports = list(list_imported_packages(folder))
    assert imports
    assert [(file, package) for file, package in imports if package in others] == []
