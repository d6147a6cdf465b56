"""What a class's own text says about its fields."""

import ast
import inspect
import textwrap

from sluice.resource import Item


def summary(model: type[Item]) -> str:
    """The docstring of a class, without one inherited."""
    return inspect.cleandoc(model.__dict__.get("__doc__") or "")


def field_texts(model: type[Item]) -> dict[str, str]:
    """The text that stands below a field, by the field's name. Nothing where the class's source is not at hand."""
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except (OSError, TypeError):
        return {}
    [made] = ast.parse(source).body
    assert isinstance(made, ast.ClassDef)  # noqa: S101  it is the source of a class
    found = {}
    for line, below in zip(made.body, made.body[1:], strict=False):
        match line, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found
