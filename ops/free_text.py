"""Collections whose classes say `free_text=True`: deployments name them in the parameter FreeTextCollections.

The firewall's rules are in the template, and the classes cannot be imported here, so their source is read.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.errors import UsageError

PARAMETER = "FreeTextCollections"


def add_free_text(parameters: Mapping[str, str], resources: Path) -> dict[str, str]:
    """The parameters of a deployment, with the collections of a folder of classes besides those that are named."""
    declared = [name for path in sorted(resources.glob("*.py")) for name in _find_collections(path)]
    if not declared:
        return dict(parameters)
    configured = [name for name in parameters.get(PARAMETER, "").split(",") if name]
    return {**parameters, PARAMETER: ",".join(dict.fromkeys([*configured, *declared]))}


def _find_collections(path: Path) -> Iterator[str]:
    """The collections of a file. Raises UsageError for a class that leaves open whether it has free text."""
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError:
        return  # the check of the classes says it
    for definition in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for decorator in definition.decorator_list:
            if isinstance(decorator, ast.Call):
                yield from _read_decorator(decorator, f"src/resources/{path.name}:{decorator.lineno}")


def _read_decorator(decorator: ast.Call, place: str) -> Iterator[str]:
    for keyword in decorator.keywords:
        if keyword.arg != "free_text":
            continue
        collection = decorator.args[0] if decorator.args else None
        if not isinstance(keyword.value, ast.Constant) or not isinstance(collection, ast.Constant):
            raise UsageError(
                f"{place}: free_text and the collection must be written out.", 'Write "name" and free_text=True.'
            )
        if keyword.value.value:
            yield str(collection.value)
