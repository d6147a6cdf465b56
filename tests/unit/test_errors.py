"""One module has every exception of the application, and its docstring draws the hierarchy as it is."""

import ast
import json
import re
from pathlib import Path

import pytest

from sluice import errors

SRC = Path(__file__).resolve().parents[2] / "src"
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and value.__module__ == errors.__name__
}


def read_drawn_parents() -> dict[str, str]:
    """The parent of each class in the drawing, by the depth of its line."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r" {4}(?P<lead>[│├└─ ]*)(?P<names>[A-Z]\w+(?:, [A-Z]\w+)*)(?: .*)?", line)
        if not match:
            continue
        depth = len(match["lead"]) // 4
        names = match["names"].split(", ")
        path = [*path[:depth], names[-1]]
        for name in names:
            parents[name] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawing_shows_every_class_below_its_parent() -> None:
    assert read_drawn_parents() == {name: value.__bases__[0].__name__ for name, value in CLASSES.items()}


def test_no_other_module_defines_an_exception() -> None:
    allowed_names = {
        *CLASSES,
        "Exception",
        "BaseException",
        "ValueError",
        "RuntimeError",
        "TypeError",
        "KeyError",
        "OSError",
    }
    others = {
        f"{path.relative_to(SRC)}: {node.name}"
        for path in SRC.rglob("*.py")
        if path != Path(str(errors.__file__))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in allowed_names for base in node.bases)
    }
    assert others == {"sluice/http/problem.py: Problem"}


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ({"errorType": "RestoreRefused", "errorMessage": "There is no snapshot."}, "There is no snapshot."),
        ({"Status": "FAILED", "Error": "A", "Cause": "3 batches remain."}, "3 batches remain."),
        ({"Status": "FAILED", "Cause": json.dumps({"errorMessage": "It is down."})}, "It is down."),
        ({"Status": "ABORTED"}, ""),
        ({"errorMessage": None}, ""),
        (["x"], ""),
    ],
)
def test_the_message_of_a_cause_is_that_of_the_error_behind_it(cause: object, message: str) -> None:
    assert errors.extract_message(json.dumps(cause)) == message
    assert errors.extract_message("no JSON") == errors.extract_message("") == ""
