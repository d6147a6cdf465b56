"""The files that Step Functions writes of a Map Run: one for each way that its children ended, and a manifest."""

import json
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from local.emulator.firehose import host
from local.emulator.map_run import MapRun


def write(run: MapRun) -> dict[str, Any]:
    """Write the results of a run into S3, and return what its state's result is then."""
    given = stepfunctions._resolve_params_obj(run.state["ResultWriter"]["Parameters"], run.effective, {})
    bucket, folder = given["Bucket"], "/".join(filter(None, (given.get("Prefix", "").rstrip("/"), run.id)))
    by_status: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for item, child in zip(run.items, run.children, strict=True):
        status = "PENDING" if not child else "SUCCEEDED" if child["status"] == "SUCCEEDED" else "FAILED"
        by_status[status].append(_result(child) if child else {"Input": json.dumps(item), "Status": "PENDING"})
    files = {status: _put_all(bucket, f"{folder}/{status}_0.json", found) for status, found in by_status.items()}
    manifest = {"DestinationBucket": bucket, "MapRunArn": run.arn, "ResultFiles": files}
    _put(bucket, f"{folder}/manifest.json", manifest)
    return {"MapRunArn": run.arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


def _result(child: dict[str, Any]) -> dict[str, Any]:
    names = ("executionArn", "input", "name", "output", "startDate", "stateMachineArn", "status", "stopDate")
    found = {f"{name[0].upper()}{name[1:]}": child[name] for name in names if child.get(name) is not None}
    if child["status"] != "SUCCEEDED":
        found |= {"Error": child.get("error", "States.Aborted"), "Cause": child.get("cause", "")}
    return {**found, "InputDetails": {"Included": True}, "OutputDetails": {"Included": True}, "RedriveCount": 0}


def _put_all(bucket: str, key: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Key": key, "Size": _put(bucket, key, found)}] if found else []


def _put(bucket: str, key: str, content: Any) -> int:
    body = json.dumps(content).encode()
    try:
        host.put_object(host.Scope(get_account_id(), get_region(), "map"), bucket, key, body)
    except host.PutFailedError as error:
        raise stepfunctions._ExecutionError("States.ResultWriterFailed", f"{key}: {error}") from None
    return len(body)
