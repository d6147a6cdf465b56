"""The page of the functions' environment variables, made from src/sluice/settings.py."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.docs.markdown import NOTICE, escape_cell, format_code, format_table

HEAD = """# Settings of the functions

The template sets these environment variables. A function reads its settings once, when it starts, and fails with the
names of the variables that are missing or wrong. Powertools reads the log level and the
metrics' namespace from variables of its own.
"""


def render_settings(path: Path) -> str:
    """Return the page."""
    lines = [NOTICE.format(source="src/sluice/settings.py"), "", HEAD]
    for node in _list_classes(path):
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id.endswith("Settings")]
        lines += [f"## {node.name}", "", escape_cell(ast.get_docstring(node) or ""), ""]
        lines += [f"It has the variables of {base} as well.\n" for base in bases]
        lines += [*format_table(("variable", "type"), _list_fields(node)), ""]
    return "\n".join(lines).rstrip() + "\n"


def find_settings(path: Path) -> list[str]:
    """Return the names of all environment variables."""
    return [name.strip("`") for node in _list_classes(path) for name, _ in _list_fields(node)]


def _list_classes(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
            yield node


def _list_fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield format_code(item.target.id.upper()), format_code(ast.unparse(item.annotation))
