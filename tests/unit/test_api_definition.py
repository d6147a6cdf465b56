"""api.json is written from the resource classes, and refuses more than a stack takes."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.model.resource import Resource, create_resource
from tests.template.translate import TEMPLATE, read
from tests.unit.classes import create_item_class
from tools.api_definition import MAX_PARAMETERS, TooManyParametersError, render_api_definition

ROOT = Path(__file__).parents[2]
NOTES = '''
"""Notes, for everyone."""

from sluice.model.resource import Item, resource


@resource("notes", key="slug", indexes=("topic",))
class Note(Item):
    """A note."""

    slug: str
    topic: int
'''
# CloudFormation invokes the function of a custom resource asynchronously: with at most 256 KB. The event has the
# properties before and after the change, and its own fields.
MAX_EVENT = 256 * 1024


def create_resources(fields: int) -> list[Resource]:
    """Resources with this many indexed fields in all, whose names are as long as names usually get."""
    names = [f"measured_value_number_{number:03}" for number in range(fields)]
    groups = [names[start : start + 8] for start in range(0, fields, 8)]
    return [
        create_resource(
            create_item_class(*((name, int) for name in group), name=f"Group{number}"),
            f"group_{number}",
            indexes=group,
        )
        for number, group in enumerate(groups)
    ]


def read_parameters(text: str) -> dict[str, dict[str, bool]]:
    return {name: settings for entry in json.loads(text)["RequestParameters"] for name, settings in entry.items()}


def test_every_filter_is_in_the_cache_key_and_the_path_is_required() -> None:
    parameters = read_parameters(render_api_definition(create_resources(1)))
    assert all(settings["Caching"] for settings in parameters.values())
    assert {name for name, settings in parameters.items() if settings["Required"]} == {"method.request.path.collection"}
    added = {"", ".gt", ".gte", ".lt", ".lte"}
    field = "method.request.querystring.measured_value_number_000"
    assert parameters.keys() - read_parameters(render_api_definition([])).keys() == {f"{field}{end}" for end in added}


def test_as_many_parameters_as_are_allowed_fit_the_event_of_the_migration() -> None:
    text = render_api_definition(create_resources(MAX_PARAMETERS // 5 - 2))
    properties = json.dumps(json.loads(text)).replace("true", '"true"').replace("false", '"false"')
    assert MAX_EVENT / 2 < 2 * len(properties) < MAX_EVENT - 16_384


def test_more_parameters_are_refused_with_the_way_out() -> None:
    resources = create_resources(MAX_PARAMETERS // 5)
    with pytest.raises(TooManyParametersError) as refused:
        render_api_definition(resources)
    assert f"{len(resources)} resources can be asked by 8" in str(refused.value)
    assert "Remove indexes, for example of group_0," in str(refused.value)


def test_it_needs_no_library_of_the_service_but_msgspec() -> None:
    code = (
        "import sys, tools.api_definition\n"
        "from sluice.model.resource import load_resources\n"
        "load_resources()\n"
        "import msgspec\n"
        "files = {name: getattr(module, '__file__', None) or '' for name, module in sys.modules.items()}\n"
        "print({name.split('.')[0] for name, file in files.items() if 'site-packages' in file})"
    )
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    libraries = set(ast.literal_eval(done.stdout))
    # msgspec imports typing_extensions where it is installed, and does without it otherwise.
    assert libraries - {"typing_extensions", "_virtualenv"} == {"msgspec"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the build of the layer reads, with a resource of its own."""
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("src", "tools", "layers/tracing"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "src/resources/notes.py").write_text(NOTES)
    return tmp_path


def build_definition(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run the Makefile of the layer as `sam build` does: in the folder of the template."""
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "--makefile", str(checkout / "layers/tracing/Makefile"), "api-definition"]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_sam_build_writes_the_definition_of_a_new_class(checkout: Path) -> None:
    layer = read(TEMPLATE)["Resources"]["TracingLayer"]
    assert layer["Metadata"] == {"BuildMethod": "makefile", "WorkingDirectory": "."}
    assert "build-TracingLayer: api-definition\n" in (ROOT / "layers/tracing/Makefile").read_text()
    (checkout / "api.json").write_text("an old definition")
    done = build_definition(checkout)
    assert done.returncode == 0, done.stderr
    assert "method.request.querystring.topic.gte" in read_parameters((checkout / "api.json").read_text())


def test_sam_build_refuses_a_faulty_class_with_its_file_and_line(checkout: Path) -> None:
    path = checkout / "src/resources/notes.py"
    path.write_text(NOTES.replace("int", "object"))
    done = build_definition(checkout)
    assert done.returncode != 0
    assert "src/resources/notes.py:" in done.stderr
    assert not (checkout / "api.json").exists()
