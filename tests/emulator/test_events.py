import concurrent.futures
import hashlib
import json
import os
from typing import Any

import pytest

from testkit.emulator_harness import Emulator, deploy_stack, wait_until

OBJECTS = int(os.environ.get("EVENTS_OBJECTS", "100"))


@pytest.fixture(scope="module")
def names(emulator: Emulator) -> dict[str, str]:
    definition = {"StartAt": "Succeed", "States": {"Succeed": {"Type": "Pass", "End": True}}}
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": "Bucket"}]}, "object": {"key": [{"prefix": "batches/"}]}},
    }
    resources = {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            },
        },
        "Machine": {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {
                "Definition": definition,
                "Events": {"Created": {"Type": "EventBridgeRule", "Properties": {"Pattern": pattern}}},
            },
        },
    }
    outputs = {name: {"Value": {"Ref": name}} for name in resources}
    return deploy_stack(emulator, "events", {"Resources": resources, "Outputs": outputs})


def _list_inputs(emulator: Emulator, machine: str) -> list[dict[str, Any]]:
    client = emulator.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine)
    arns = [execution["executionArn"] for page in pages for execution in page["executions"]]
    return [json.loads(client.describe_execution(executionArn=arn)["input"]) for arn in arns]


def test_each_object_under_the_prefix_starts_one_execution(emulator: Emulator, names: dict[str, str]) -> None:
    s3 = emulator.client("s3")

    def put(number: int) -> None:
        s3.put_object(Bucket=names["Bucket"], Key=f"batches/2026/{number:05d} ü.gz", Body=str(number).encode())
        s3.put_object(Bucket=names["Bucket"], Key=f"errors/{number:05d}", Body=b"")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(OBJECTS)))

    def all_started() -> bool:
        pages = emulator.client("stepfunctions").get_paginator("list_executions")
        executions = pages.paginate(stateMachineArn=names["Machine"], PaginationConfig={"PageSize": 1000})
        return sum(len(page["executions"]) for page in executions) >= OBJECTS

    wait_until(all_started, 60)
    events = _list_inputs(emulator, names["Machine"])
    details = [event["detail"] for event in events]
    assert sorted(detail["object"]["key"] for detail in details) == [
        f"batches/2026/{number:05d} ü.gz" for number in range(OBJECTS)
    ]
    first = next(detail for detail in details if detail["object"]["key"].endswith("/00017 ü.gz"))
    assert first["bucket"] == {"name": names["Bucket"]}
    assert first["object"]["etag"] == hashlib.md5(b"17").hexdigest()
    assert first["object"]["size"] == 2
    assert first["reason"] == "PutObject"
    assert len({event["id"] for event in events}) == OBJECTS
