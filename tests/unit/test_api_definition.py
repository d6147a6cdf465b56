"""api.json is written from the resource classes, and refuses more than a stack takes."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.model.resource import Resource, create_resource, load_resources
from sluice.openapi.document import create_document
from testkit.translate import TEMPLATE, read, translate
from tests.unit.classes import create_item_class
from tools.api_definition.__main__ import (
    MAX_API_RESOURCES,
    MAX_COLLECTIONS,
    MAX_DEFINITION_BYTES,
    ApiTooLargeError,
    render_api_definition,
    render_api_digests,
)
from tools.api_definition.routes import (
    ANY_METHOD,
    INTEGRATION,
    VALIDATOR,
    VALIDATORS,
    list_api_resources,
    name_model,
)

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
# CloudFormation counts the processed template, which is JSON: with what AWS::Include and SAM put into it, but without
# what the SAM CLI uploads, which is the code and the definitions of workflows. It may have 1 MB in S3:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-troubleshoot-processed-template.html
# The refusal names the bytes, "Template may not exceed 1000000 bytes in size":
# https://github.com/aws-samples/aws-vpc-cidr-mgmt/issues/10
MAX_TEMPLATE_BYTES = 1_000_000
# CloudFormation invokes the function of a custom resource asynchronously: with at most 256 KB. The event has the
# properties before and after the change, and its own fields.
MAX_EVENT_BYTES = 256 * 1024


def create_resources(count: int, *, indexes: int = 2) -> list[Resource]:
    """Resources with this many indexed fields each, whose names are as long as names usually get."""
    fields = [f"measured_value_number_{number:02}" for number in range(indexes)]
    return [
        create_resource(
            create_item_class(*((name, int) for name in fields), name=f"Group{number}"),
            f"measurements_of_group_{number}",
            indexes=fields,
        )
        for number in range(count)
    ]


def read_body(text: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(text)["Properties"]["DefinitionBody"]
    return body


def read_keys(text: str, path: str) -> set[str]:
    keys = read_body(text)["paths"][path]["get"][INTEGRATION].get("cacheKeyParameters", ())
    return {key for key in keys if isinstance(key, str)}


def test_every_filter_of_a_collection_is_in_its_cache_key_and_in_no_other() -> None:
    text = render_api_definition([*create_resources(1), *load_resources().values()])
    keys = read_keys(text, "/v1/measurements_of_group_0")
    field = "method.request.querystring.measured_value_number_00"
    assert {f"{field}{end}" for end in ("", ".gt", ".gte", ".lt", ".lte")} < keys
    assert not any("measured" in key for key in read_keys(text, "/v1/airports"))


def test_only_items_and_lists_of_shared_collections_are_cached() -> None:
    shared, private = (
        create_resource(create_item_class(("size", int), name=name.title()), name, private=name == "private")
        for name in ("shared", "private")
    )
    api = json.loads(render_api_definition([shared, private]))["Properties"]
    cached = [setting["ResourcePath"] for setting in api["MethodSettings"] if setting["CachingEnabled"] is not False]
    assert cached == ["/~1v1~1shared", "/~1v1~1shared~1{id}"]
    keyed = {path for path in api["DefinitionBody"]["paths"] if path.startswith("/v1/") and read_keys_of(api, path)}
    assert keyed == {"/v1/shared", "/v1/shared/{id}"}


def read_keys_of(api: dict[str, Any], path: str) -> list[Any]:
    keys: list[Any] = api["DefinitionBody"]["paths"][path]["get"][INTEGRATION].get("cacheKeyParameters", [])
    return keys


def test_each_collection_has_its_own_routes() -> None:
    paths = read_body(render_api_definition(create_resources(1)))["paths"]
    base = "/v1/measurements_of_group_0"
    assert {path: set(methods) for path, methods in paths.items() if path.startswith(base)} == {
        base: {"get", "post", ANY_METHOD},
        f"{base}/{{id}}": {"get", "put", "delete", ANY_METHOD},
        f"{base}/{{id}}/writes/{{version}}": {"get", ANY_METHOD},
    }
    assert not [path for path in paths if "{collection}" in path]


def test_api_gateway_requires_of_a_body_what_the_contract_requires() -> None:
    resources = list(load_resources().values())
    body = read_body(render_api_definition(resources))
    document = create_document(resources)
    for resource in resources:
        model = body["definitions"][name_model(resource)]
        name = document["paths"][f"/v1/{resource.collection}"]["post"]["requestBody"]["content"]["application/json"]
        schema = document["components"]["schemas"][name["schema"]["$ref"].rpartition("/")[2]]
        assert (model["type"], model["required"]) == ("object", sorted(schema["required"]))
        # Nothing else: the function alone knows which values a column takes.
        assert model.keys() == {"type", "required"}


def test_only_json_bodies_of_writes_are_validated() -> None:
    body = read_body(render_api_definition([*create_resources(1), *load_resources().values()]))
    validated = {
        f"{method} {path}": operation
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
        if VALIDATOR in operation
    }
    bases = ("/v1/airports", "/v1/bookings", "/v1/measurements_of_group_0")
    assert validated.keys() == {*(f"post {base}" for base in bases), *(f"put {base}/{{id}}" for base in bases)}
    assert all(operation["consumes"] == ["application/json"] for operation in validated.values())
    assert body[VALIDATORS] == {"body": {"validateRequestBody": True, "validateRequestParameters": False}}


def test_models_of_similar_collections_have_different_names_that_api_gateway_takes() -> None:
    names = ["a_1", "a1", "a__1", "ab", "a_b"]
    models = {name_model(create_resource(create_item_class(("size", int)), name)) for name in names}
    assert len(models) == len(names)
    assert all(model.isalnum() for model in models)


def test_a_body_may_lack_every_field_where_none_is_required() -> None:
    resource = create_resource(create_item_class(("size", int | None, None)), "loose")
    assert read_body(render_api_definition([resource]))["definitions"][name_model(resource)] == {"type": "object"}


def test_as_many_collections_as_are_allowed_fit_the_quotas_of_aws() -> None:
    resources = create_resources(MAX_COLLECTIONS)
    text = render_api_definition(resources)
    assert len(list_api_resources(read_body(text)["paths"])) <= MAX_API_RESOURCES
    assert 2 * len(render_api_digests(resources)) < MAX_EVENT_BYTES / 4
    with pytest.raises(ApiTooLargeError) as refused:
        render_api_definition([*resources, *load_resources().values()])
    assert str(refused.value) == (
        "The routes of 75 collections need 306 resources of API Gateway, and an API has at most 300, enough for 73 "
        "collections: deploy a part of the resource classes as a stack of its own."
    )


def test_the_largest_definition_fits_the_template() -> None:
    translated = translate(read(TEMPLATE), ROOT, with_definitions=False)
    del translated["Resources"]["Api"]
    rest = len(json.dumps(translated))  # with spaces, which CloudFormation may leave out
    assert rest + MAX_DEFINITION_BYTES < MAX_TEMPLATE_BYTES
    with pytest.raises(ApiTooLargeError) as refused:
        render_api_definition(create_resources(MAX_COLLECTIONS, indexes=30))
    assert " bytes, and at most 600,000 fit CloudFormation's template: remove indexes, for example of " in str(
        refused.value
    )


def test_it_needs_only_two_libraries_of_the_service() -> None:
    code = (
        "import sys, tools.api_definition.__main__\n"
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
    assert libraries - {"typing_extensions", "_virtualenv"} == {"msgspec", "ulid"}


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
    assert "method.request.querystring.topic.gte" in read_keys((checkout / "api.json").read_text(), "/v1/notes")
    assert json.loads((checkout / "api-digests.json").read_text())["ApiDigests"].keys() == {
        "airports",
        "bookings",
        "notes",
        "sluice_canary",
    }


def test_sam_build_refuses_a_faulty_class_with_its_file_and_line(checkout: Path) -> None:
    path = checkout / "src/resources/notes.py"
    path.write_text(NOTES.replace("int", "object"))
    done = build_definition(checkout)
    assert done.returncode != 0
    assert "src/resources/notes.py:" in done.stderr
    assert not (checkout / "api.json").exists()
