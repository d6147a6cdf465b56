"""Figures about how readable the code is: module sizes, names, and how many modules one POST passes through.

    python -m tools.code_figures [TREE ...]

prints one column a tree (default: this checkout). Give the folder of another checkout to compare before and after.
`--check` compares this checkout with the limits below, and ends with 1 where one is exceeded.
"""

import argparse
import ast
import collections
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.post_path import trace_post

ROOT = Path(__file__).resolve().parents[1]
WATCHED_NAMES = ("found", "one", "given")
# The most that `--check` accepts, by the titles of the figures.
LIMITS = {
    "modules with code in src": 145,
    "file names used more than once": 3,
    "one-word function names": 44,
    "modules on the path of a POST": 8,
    "returns on the path of a POST": 1,
    **{f"uses of `{name}` as a name": 0 for name in WATCHED_NAMES},
}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: Path) -> list[Path]:
    """Every Python file below the folders, in the order of their paths."""
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Every name that a module uses for a variable, parameter, function, class or attribute."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name


def has_code(tree: ast.Module) -> bool:
    """Whether a module has anything besides its docstring."""
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in tree.body)


def imported_modules(tree: ast.Module) -> set[str]:
    """The dotted names that a module imports; `from a import b` counts as both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def function_names(trees: list[ast.Module]) -> list[str]:
    """The names of all functions and methods, without dunder methods."""
    names = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, FUNCTION)]
    return [name for name in names if not (name.startswith("__") and name.endswith("__"))]


def measure_tree(root: Path) -> dict[str, int]:
    """The figures of one checkout, by their titles. That of one-word names is a percentage."""
    # The classes of an adopter are not the project's code: a field may have any name.
    resources = root / "src" / "resources"
    files = [path for path in python_files(root / "src") if resources not in path.parents]
    texts = {path: path.read_text() for path in files}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    markers = sum(path.name == "__init__.py" and not has_code(trees[path]) for path in files)
    lines = sorted(text.count("\n") for text in texts.values())
    dotted = {path: ".".join(path.relative_to(root / "src").with_suffix("").parts) for path in files}
    importers = collections.Counter(
        name for tree in trees.values() for name in imported_modules(tree) & set(dotted.values())
    )
    basenames = collections.Counter(path.name for path in files if path.name != "__init__.py")
    names = function_names(list(trees.values()))
    one_word = sum("_" not in name.strip("_") for name in names)
    others = [ast.parse(path.read_text()) for path in python_files(root / "ops", root / "local")]
    everywhere = [*trees.values(), *others]
    used = collections.Counter(name for tree in everywhere for name in bound_names(tree))
    path_of_post = trace_post(root)
    return {
        "modules with code in src": len(files) - markers,
        "package markers in src": markers,
        "lines of a module, median": round(statistics.median(lines)),
        "lines of a module, 90th percentile": lines[int(len(lines) * 0.9)],
        "modules with 30 lines or fewer": sum(count <= 30 for count in lines),
        "modules with exactly one importer": sum(count == 1 for count in importers.values()),
        "file names used more than once": sum(count > 1 for count in basenames.values()),
        "one-word function names": round(100 * one_word / len(names)),
        "modules on the path of a POST": len(path_of_post.modules),
        "returns on the path of a POST": len(path_of_post.returns),
        **{f"uses of `{name}` as a name": used[name] for name in WATCHED_NAMES},
    }


def exceeded_limits(figures: dict[str, int]) -> list[str]:
    """A sentence for each figure that is above its limit."""
    return [
        f"{title}: {figures[title]}, and at most {limit} are allowed"
        for title, limit in LIMITS.items()
        if figures[title] > limit
    ]


def format_columns(columns: list[dict[str, int]]) -> str:
    """The figures of several checkouts beside each other, one line a figure."""
    width = max(map(len, columns[0]))
    rows = ([title.ljust(width), *(str(column[title]).rjust(6) for column in columns)] for title in columns[0])
    return "\n".join(" ".join(row) for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.code_figures", description="Print how readable the code is.")
    parser.add_argument("trees", nargs="*", type=Path, default=[ROOT], metavar="TREE", help="folder of a checkout")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--path", action="store_true", help="print each call between two modules of a POST")
    mode.add_argument("--check", action="store_true", help="end with 1 where a figure is above its limit")
    arguments = parser.parse_args()
    trees = [tree.resolve() for tree in arguments.trees]
    if arguments.path:
        print("\n".join(call for tree in trees for call in trace_post(tree).calls))
        return 0
    columns = [measure_tree(tree) for tree in trees]
    findings = [sentence for figures in columns for sentence in exceeded_limits(figures)] if arguments.check else []
    print(
        "\n".join(findings) if arguments.check else format_columns(columns),
        end="\n" if findings or not arguments.check else "",
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
