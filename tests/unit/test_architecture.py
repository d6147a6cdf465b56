"""The layers of the code: imports point down, and no part names the resources of an adopting team."""

import ast
import re
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from sluice.model.resource import load_resources

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# From the bottom to the top. A module imports its own folder and lower layers. Every other folder is in the lowest one.
LAYERS = (
    {"errors", "settings", "model", "resources"},
    {"aws"},
    {"observability"},
    {"http", "cache", "db"},
    {"ingest", "load", "query", "replay", "schema", "rebuild", "recovery", "restore", "rotation", "canary"},
    {"openapi", "proof"},
    {"handlers"},
)


def imports(path: Path) -> Iterator[str]:
    """What a file imports by its full name, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> dict[str, Path]:
    modules_by_name = {}
    for path in SRC.rglob("*.py"):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts)
        modules_by_name[name.removesuffix(".__init__")] = path
    return modules_by_name


MODULES = modules()
ARROWS = {
    name: {imported for imported in imports(path) if imported in MODULES and imported != name}
    for name, path in MODULES.items()
}


def room(module: str) -> str:
    return module.split(".")[1] if module.startswith("sluice.") else module.split(".", maxsplit=1)[0]


def height(module: str) -> int:
    """The layer of a module, 0 being the lowest."""
    return next((number for number, layer in enumerate(LAYERS) if room(module) in layer), 0)


def test_the_code_is_found() -> None:
    assert len(MODULES) > 40
    assert {height(name) for name in MODULES} == set(range(len(LAYERS)))
    assert {room(name) for name in MODULES} - {"sluice"} == set.union(*LAYERS)
    assert "sluice.ingest.firehose" in ARROWS["sluice.ingest.accept"]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_point_down(module: str) -> None:
    within = {imported for imported in ARROWS[module] if room(imported) == room(module)}
    below = {imported for imported in ARROWS[module] if height(imported) < height(module)}
    ground = {imported for imported in ARROWS[module] if height(imported) == height(module) == 0}
    assert ARROWS[module] - within - below - ground == set()


def test_handlers_do_not_know_each_other() -> None:
    handlers = {name: arrows for name, arrows in ARROWS.items() if room(name) == "handlers"}
    assert {
        handler: other for handler, arrows in handlers.items() for other in arrows if room(other) == "handlers"
    } == {}


def test_there_are_no_cycles() -> None:
    # A package is only in the way of its modules: what counts is which module needs which.
    graph = {name: {imported for imported in arrows if imported != "sluice"} for name, arrows in ARROWS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_deployed_imports_what_is_not(module: str) -> None:
    tops = {name.split(".")[0] for name in imports(MODULES[module])}
    not_deployed = {"local", "ops", "tests", "bench", "testkit", "tools", "events", "boto3", "ministack", "pytest"}
    assert tops & not_deployed == set()


def test_operators_and_the_local_stack_use_only_what_a_deployed_stack_shows() -> None:
    files = [path for folder in ("local", "ops") for path in (ROOT / folder).rglob("*.py")]
    assert files
    knowing = {str(path) for path in files for name in imports(path) if name.split(".")[0] in {"sluice", "resources"}}
    assert knowing == set()


def test_a_resource_needs_only_the_words_for_resources() -> None:
    imported_by_resources = {
        imported for name, arrows in ARROWS.items() if name.startswith("resources.") for imported in arrows
    }
    assert imported_by_resources <= {"sluice.model.resource"}


def test_only_the_registry_knows_where_resources_are() -> None:
    knowing = {name for name, arrows in ARROWS.items() if any(room(imported) == "resources" for imported in arrows)}
    assert knowing == {"sluice.model.resource"}


# Ordinary words, that stand elsewhere in another meaning: a thing's name, and Python's and the system's time zones.
ORDINARY = {"name", "tz"}
# Where the resources may be named: their own files, samples, proofs, guides and the demonstration.
AT_HOME = (
    "src/resources/",
    "events/",
    "tests/",
    "docs/",
    "local/demo/",
    "bench/",
    "testkit/",
    "tools/post_path.py",
    "README.md",
)
# What AWS charges has a name that a resource of the examples has for one of its fields.
ABOUT_COST = ("ops/cost/", "ops/commands/cost.py", "tools/docs/cost.py", "CHANGELOG.md")


def names_of_resources() -> set[str]:
    served = load_resources().values()
    fields = {column.name for resource in served for column in resource.columns} | {
        resource.key for resource in served if resource.key
    }
    return {resource.collection for resource in served} | {resource.model.__name__ for resource in served} | fields


def test_the_names_are_known() -> None:
    assert {"airports", "Airport", "icao", "elevation", "bookings", "departs_at"} <= names_of_resources()
    assert names_of_resources() >= ORDINARY


def test_no_part_names_a_resource() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    files = [ROOT / name for name in listed if not name.startswith(AT_HOME) and (ROOT / name).is_file()]
    assert len(files) > 50
    # An underscore parts words too: a table's name may be within an index's.
    words = "|".join(sorted(names_of_resources() - ORDINARY))
    word = re.compile(rf"(?<![A-Za-z0-9])({words})(?![A-Za-z0-9])", re.IGNORECASE)
    mentions = {
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1)
        if (match := word.search(line))
        if not (match[0].lower() == "price" and str(path.relative_to(ROOT)).startswith(ABOUT_COST))
    }
    assert mentions == set()
