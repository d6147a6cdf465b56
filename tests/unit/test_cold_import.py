"""What a function imports as it starts, in a fresh process with tracing on as in Lambda."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from ops.template import read_template
from tests.unit.fresh import environment

WRITES = ["post", "put", "delete"]
DATABASE = {"pymysql", "sluice.db.connection", "sluice.query", "sluice.load", "sluice.aws.s3"}
DEPLOY = {"alembic", "sqlalchemy", "sluice.schema"}
REST = {"boto3", "pydantic", "requests", "aws_xray_sdk"}
CLIENTS = {"botocore.session", "botocore.client", "urllib3"}
CACHE = {"hiredis", "sluice.cache.valkey_client"}  # unless there is a cache
CACHED = {
    "CACHE_HOST": "localhost",
    "CACHE_PORT": "1",
    "CACHE_SECRET_ARN": "arn:cache",
    "CACHE_SECONDS": "600",
}
FORBIDDEN = {
    **{name: {*DATABASE, *DEPLOY, *REST, *CLIENTS} for name in WRITES},
    "get": {
        *DEPLOY,
        *REST,
        *CLIENTS,
        *CACHE,
        "sluice.cache",
        "sluice.ingest",
        "sluice.ingest.firehose",
        "sluice.load",
        "sluice.aws.s3",
    },
    "transform": {
        *DATABASE,
        *DEPLOY,
        *REST,
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.model.resource",
        "resources",
    },
    "fallback": {
        *DATABASE,
        *DEPLOY,
        *REST,
        *CLIENTS,
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.model.resource",
        "resources",
    },
    "status": {
        *DEPLOY,
        *REST,
        "pymysql",
        "sluice.db.connection",
        "sluice.load",
        "sluice.query",
        "sluice.model.resource",
        "resources",
    },
    "openapi": {
        "pymysql",
        "sluice.db.connection",
        "sluice.load",
        "sluice.aws.s3",
        *DEPLOY,
        *REST,
        "sluice.ingest.firehose",
        "sluice.ingest",
        *CLIENTS,
    },
    "quarantine": {
        *DEPLOY,
        *REST,
        "sluice.db.connection",
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.model.resource",
    },
    "load": {
        *DEPLOY,
        *REST,
        *CACHE,
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.query",
        "sluice.http",
        "sluice.recovery",
    },
    "plan": {
        *DEPLOY,
        *REST,
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.load",
        "sluice.http",
        "sluice.executions",
    },
    "report": {
        *DEPLOY,
        *REST,
        "sluice.db.connection",
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.model.resource",
    },
    "lease": {
        *DEPLOY,
        *REST,
        "sluice.db.connection",
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.model.resource",
    },
    "rebuild": {
        "alembic",
        "sqlalchemy",
        *REST,
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.load",
        "sluice.query",
    },
    "health_check": {
        *DEPLOY,
        *REST,
        "sluice.ingest.firehose",
        "sluice.ingest",
        "sluice.model.resource",
    },
}


@pytest.fixture(scope="module")
def imported() -> Mapping[str, set[str]]:
    """The modules of a process of each function; the processes run side by side."""
    settings = environment(LAMBDA_TASK_ROOT="/var/task", AWS_LAMBDA_FUNCTION_NAME="function")
    del settings["POWERTOOLS_TRACE_DISABLED"]
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", f"import sys, sluice.handlers.{name}; print(*sys.modules)"],
            env=settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in FORBIDDEN
    }
    outputs = {name: process.communicate(timeout=60)[0] for name, process in processes.items()}
    assert {name: process.returncode for name, process in processes.items()} == dict.fromkeys(FORBIDDEN, 0)
    return {name: set(output.split()) for name, output in outputs.items()}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_function_imports_only_its_own(imported: Mapping[str, set[str]], name: str) -> None:
    assert imported[name] & FORBIDDEN[name] == set()
    assert f"sluice.handlers.{name}" in imported[name]


def test_functions_that_import_botocore_have_its_layer() -> None:
    settings = environment(LAMBDA_TASK_ROOT="/var/task", AWS_LAMBDA_FUNCTION_NAME="function")
    functions = {
        name: resource["Properties"]
        for name, resource in read_template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    program = "import sys, {}; print(any(name.startswith('botocore.') for name in sys.modules))"
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", program.format(properties["Handler"].removesuffix(".handle"))],
            env=settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, properties in functions.items()
    }
    imports_botocore = {name: process.communicate(timeout=60)[0] == "True\n" for name, process in processes.items()}
    has_layer = {
        name: {"Ref": "BotocoreLayer"} in properties.get("Layers", ()) for name, properties in functions.items()
    }
    assert imports_botocore == has_layer
    assert 0 < sum(has_layer.values()) < len(has_layer)


@pytest.mark.parametrize("name", WRITES)
def test_a_write_function_is_ready_when_it_was_imported(imported: Mapping[str, set[str]], name: str) -> None:
    assert {"sluice.ingest.firehose", "sluice.aws.json_client", "aws_sdk_signers", "resources"} <= imported[name]
    assert any(module.startswith("resources.") for module in imported[name])


@pytest.mark.parametrize("name", ["get", "load"])
def test_with_a_cache_its_client_is_imported_at_the_start(name: str) -> None:
    program = f"import sys, sluice.handlers.{name}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**environment(), **CACHED}, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) >= CACHE


def test_a_sampled_trace_imports_the_sdk_without_botocore() -> None:
    program = """
import sys
sys.modules["botocore"] = None  # an import of it fails
from sluice.aws import tracing
assert "aws_xray_sdk" not in sys.modules
with tracing.create_invocation_subsegment("work") as segment:
    print(segment.trace_headers())
"""
    trace = "Root=1-6b0323d0-3f8a1c9e2b7d4a5f6c8e9d01;Parent=53995c3f42cd8ad8;Sampled=1"
    settings = environment(LAMBDA_TASK_ROOT="/var/task", _X_AMZN_TRACE_ID=trace, POWERTOOLS_TRACE_DISABLED="")
    done = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=True)
    assert "Root=1-6b0323d0" in done.stdout
