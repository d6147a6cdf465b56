"""What becomes of the lines of a function: the application log level, and metrics in them."""

import base64
import datetime
import importlib.util
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from testkit.emulator_harness import ROOT, Emulator, build_function, deploy_stack, invoke_function
from testkit.translate import TEMPLATE, read

CODE = """
    def handle(event, context):
        print(event["print"])
        if event.get("fail"):
            raise ValueError("wrong")
"""
NOW = "2026-11-29T08:00:00.123Z"
METRIC: dict[str, Any] = {
    "_aws": {
        "Timestamp": 1_796_000_000_000,
        "CloudWatchMetrics": [
            {"Namespace": "Own", "Dimensions": [["stack", "service"]], "Metrics": [{"Name": "Seen", "Unit": "Count"}]}
        ],
    },
    "stack": "first",
    "service": "sluice",
    "Seen": [2.0],
}
DENIAL = {"Effect": "Deny", "Action": "logs:CreateLogGroup", "Resource": "*"}
LINES: dict[str, dict[str, Any]] = {
    "an error": {"level": "ERROR", "timestamp": NOW},
    "a warning": {"level": "WARN", "timestamp": NOW},
    "information": {"level": "INFO", "timestamp": NOW},
    "an error without a time": {"level": "ERROR"},
    "an error with a space in its time": {"level": "ERROR", "timestamp": "2026-11-29 08:00:00,123+0000"},
    "a line without a level": {"timestamp": NOW},
    "a level of another name": {"level": "LOUD", "timestamp": NOW},
    "a metric": METRIC,
}


@pytest.fixture(scope="module")
def names(emulator: Emulator) -> dict[str, str]:
    levels: dict[str, dict[str, str]] = {
        "Text": {"LogFormat": "Text"},
        "Default": {"LogFormat": "JSON"},
        "Debug": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"},
        "Warn": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
        "Error": {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"},
    }
    template = {
        "Resources": {name: build_function(CODE, LoggingConfig=config) for name, config in levels.items()},
        "Outputs": {name: {"Value": {"Ref": name}} for name in levels},
    }
    return deploy_stack(emulator, "levels", template)


def _read_lines(emulator: Emulator, function: str) -> list[str]:
    events = emulator.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    return [event["message"] for event in events]


@pytest.mark.parametrize(
    ("function", "remaining"),
    [
        ("Text", {*LINES, "text"}),
        ("Debug", {*LINES, "text"}),
        ("Default", {*LINES, "text"}),
        ("Warn", {"an error", "a warning"}),
        ("Error", {"an error"}),
    ],
)
def test_lines_below_the_application_log_level_are_dropped(
    emulator: Emulator, names: dict[str, str], function: str, remaining: set[str]
) -> None:
    """A line without a valid level, or without a timestamp in the form of RFC 3339, counts as INFO."""
    text = "\n".join(["text", *(json.dumps({"name": name, **line}) for name, line in LINES.items())])
    invoke_function(emulator, names[function], {"print": text})
    printed = _read_lines(emulator, names[function])
    assert {name for name in LINES if f'"name": "{name}"' in "".join(printed)} | {"text"} & {*printed} == remaining


def test_a_function_learns_its_level_and_its_errors_have_one(emulator: Emulator, names: dict[str, str]) -> None:
    invoke_function(emulator, names["Error"], {"print": "", "fail": True})
    failures = [line for line in _read_lines(emulator, names["Error"]) if "errorType" in line]
    assert [json.loads(line)["errorType"] for line in failures] == ["ValueError"]


def test_metrics_are_extracted_unless_their_line_is_dropped(emulator: Emulator, names: dict[str, str]) -> None:
    stack = "extracted"
    # Of now: CloudWatch's statistics are asked for by time.
    about = {**METRIC["_aws"], "Timestamp": int(time.time() * 1000)}
    for function in ("Default", "Error"):
        invoke_function(emulator, names[function], {"print": json.dumps({**METRIC, "_aws": about, "stack": stack})})
    dimensions = [{"Name": "service", "Value": "sluice"}, {"Name": "stack", "Value": stack}]
    assert _read_sums(emulator, "Own", "Seen", dimensions) == [2.0]


def _read_sums(emulator: Emulator, namespace: str, name: str, dimensions: list[dict[str, str]]) -> list[float]:
    now = datetime.datetime.now(datetime.UTC)
    points = emulator.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=dimensions,
        StartTime=now - datetime.timedelta(minutes=5),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=600,
        Statistics=["Sum"],
    )["Datapoints"]
    return [point["Sum"] for point in points]


def _build_package() -> bytes:
    """Build a package with the code of this repository and the libraries that the transform needs."""
    buffer = io.BytesIO()
    folders = [(ROOT / "src", "sluice"), (ROOT / "src", "resources")]
    for library in ("aws_lambda_powertools", "msgspec", "typing_extensions"):
        spec = importlib.util.find_spec(library)
        origin = Path(spec.origin if spec and spec.origin else "")
        folders.append((origin.parents[1], library) if origin.name == "__init__.py" else (origin.parent, origin.name))
    with zipfile.ZipFile(buffer, "w") as archive:
        for base, name in folders:
            files = [base / name] if (base / name).is_file() else [*(base / name).rglob("*")]
            for file in files:
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(base))
    return buffer.getvalue()


def test_the_transform_counts_failed_records_at_every_log_level(emulator: Emulator) -> None:
    """The function of this repository, with logging and environment of its template, for each level of a parameter."""
    template = read(TEMPLATE)
    function = template["Globals"]["Function"]
    levels = template["Parameters"]["LogLevel"]["AllowedValues"]
    alarm = template["Resources"]["RecordsFailedAlarm"]["Properties"]
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="transform", Body=_build_package())
    sums = {}
    for level in levels:
        stack = f"level-{level.lower()}"
        properties = {
            "Runtime": "python3.13",
            "Handler": "sluice.handlers.transform.handle",
            "CodeUri": "s3://code/transform",
            "LoggingConfig": function["LoggingConfig"],
            "Environment": function["Environment"],
        }
        outputs = deploy_stack(
            emulator,
            stack,
            {
                "Parameters": {"LogLevel": {"Type": "String", "Default": level}},
                "Resources": {"Transform": {"Type": "AWS::Serverless::Function", "Properties": properties}},
                "Outputs": {"Transform": {"Value": {"Ref": "Transform"}}},
            },
        )
        data = base64.b64encode(b"no write").decode()
        response, _ = invoke_function(emulator, outputs["Transform"], {"records": [{"recordId": "1", "data": data}]})
        assert response["records"][0]["result"] == "ProcessingFailed"
        dimensions = [
            {**dimension, "Value": stack if dimension["Value"] == {"Ref": "AWS::StackName"} else dimension["Value"]}
            for dimension in alarm["Dimensions"]
        ]
        sums[level] = _read_sums(emulator, alarm["Namespace"], alarm["MetricName"], dimensions)
    assert sums == {level: [1.0] for level in levels}


@pytest.mark.parametrize(("denial", "groups"), [([], 1), ([DENIAL], 0)], ids=["allowed", "denied"])
def test_a_missing_log_group_is_created_with_the_permissions_of_the_role(
    emulator: Emulator, denial: list[dict[str, Any]], groups: int
) -> None:
    name = f"late-{groups}"
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/late/{groups}"}}
    function = build_function(
        "def handle(event, context): print('late')",
        LoggingConfig={"LogGroup": {"Ref": "Group"}},
        Policies=[{"Version": "2012-10-17", "Statement": denial}] if denial else [],
    )
    outputs = {"Name": {"Value": {"Ref": "Function"}}}
    function_name = deploy_stack(
        emulator, name, {"Resources": {"Group": group, "Function": function}, "Outputs": outputs}
    )["Name"]
    logs = emulator.client("logs")
    logs.delete_log_group(logGroupName=f"/late/{groups}")
    invoke_function(emulator, function_name)
    assert len(logs.describe_log_groups(logGroupNamePrefix=f"/late/{groups}")["logGroups"]) == groups
