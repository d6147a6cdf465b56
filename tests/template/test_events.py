"""The sample events are what the deployed parts would get."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluice.model.record import decode_write
from testkit.translate import REPOSITORY, Template
from tests.template.rules.api import PUBLIC
from tests.template.test_contract import find_function, find_scopes, list_routes

EVENTS = REPOSITORY / "events"
DEFINITION = json.loads((REPOSITORY / "statemachines/load_batch.asl.json").read_text())


def event(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / name).read_text()))


def of_api() -> list[Path]:
    return sorted(path for path in EVENTS.glob("*/*.json") if "requestContext" in json.loads(path.read_text()))


def functions_by_folder(template: Template) -> dict[str, Any]:
    """Each function by the folder of its sample events: the module of its handler."""
    functions = [
        resource for resource in template["Resources"].values() if resource["Type"] == "AWS::Serverless::Function"
    ]
    return {function["Properties"]["Handler"].split(".")[-2]: function for function in functions}


def test_every_function_and_workflow_has_events(template: Template) -> None:
    resources = template["Resources"].items()
    workflows = [name for name, resource in resources if resource["Type"] == "AWS::Serverless::StateMachine"]
    folders = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in workflows}
    assert {path.parent.name for path in EVENTS.glob("*/*.json")} == folders | set(functions_by_folder(template))


@pytest.mark.parametrize("path", of_api(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_api_event_reaches_its_function_by_a_route_and_a_scope(template: Template, path: Path) -> None:
    request = json.loads(path.read_text())
    function = functions_by_folder(template)[path.parent.name]
    methods = {method: operation for route, method, operation in list_routes(template) if route == request["resource"]}
    operation = methods.get(request["httpMethod"].lower(), methods["any"])
    assert template["Resources"][find_function(operation)] is function
    if request["resource"] not in PUBLIC:
        claims = request["requestContext"]["authorizer"]["claims"]
        assert set(claims["scope"].split()) & find_scopes(operation)
    filled = re.sub(r"{(\w+)\+?}", lambda match: request["pathParameters"][match[1]], request["resource"])
    assert request["path"] == filled


def test_the_stream_hands_over_two_writes_and_a_record_that_is_none() -> None:
    lines = [base64.b64decode(record["data"]) for record in event("transform/good_and_bad.json")["records"]]
    assert [decode_write(lines[number]).operation for number in (0, 2)] == ["put", "delete"]
    with pytest.raises(msgspec.ValidationError):
        decode_write(lines[1])


@pytest.mark.parametrize(("name", "expected"), [("good_and_bad", ["Ok", "ProcessingFailed", "Ok"]), ("packed", ["Ok"])])
def test_a_record_that_is_none_is_counted_for_its_alarm(template: Template, name: str, expected: list[str]) -> None:
    code = """
import json, sys
from sluice.handlers.transform import handle
print(json.dumps([record["result"] for record in handle(json.load(sys.stdin), None)["records"]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=(EVENTS / f"transform/{name}.json").read_text(),
        env={
            "PYTHONPATH": str(REPOSITORY / "src"),
            "POWERTOOLS_SERVICE_NAME": "sluice",
            "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
            "POWERTOOLS_TRACE_DISABLED": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    *log, results = [json.loads(line) for line in done.stdout.splitlines()]
    assert results == expected
    alarm = template["Resources"]["RecordsFailedAlarm"]["Properties"]
    [counted] = [line for line in log if alarm["MetricName"] in line]
    assert counted[alarm["MetricName"]] == [1]
    [directive] = counted["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == alarm["Namespace"]
    assert sorted(*directive["Dimensions"]) == [dimension["Name"] for dimension in alarm["Dimensions"]]


def test_the_workflow_starts_with_what_the_rule_lets_through(template: Template) -> None:
    delivered = event("load_batch/delivered.json")
    pattern = template["Resources"]["BatchDelivered"]["Properties"]["EventPattern"]
    assert [delivered["source"]] == pattern["source"]
    assert [delivered["detail-type"]] == pattern["detail-type"]
    assert delivered["detail"]["object"]["key"].startswith(pattern["detail"]["object"]["key"][0]["prefix"])


@pytest.mark.parametrize(("task", "name"), [("Load", "load/batch.json"), ("Quarantine", "quarantine/batch.json")])
def test_a_task_hands_over_what_its_sample_says(task: str, name: str) -> None:
    delivered = event("load_batch/delivered.json")["detail"]
    payload = DEFINITION["States"][task]["Parameters"]["Payload"]
    sample = event(name)
    assert {key.removesuffix(".$") for key in payload} == set(sample)
    assert (sample["bucket"], sample["key"], sample["etag"]) == (
        delivered["bucket"]["name"],
        delivered["object"]["key"],
        delivered["object"]["etag"],
    )
