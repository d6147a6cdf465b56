"""The protocol of the transform Lambda: its event, its response, and the error line of a failed record."""

import base64
import binascii
import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any

from local.emulator.firehose import ministack
from local.emulator.firehose.spool import Record

_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_ENVELOPE_BYTES = 512
_ENTRY_BYTES = 160
_RESULTS = ("Ok", "Dropped", "ProcessingFailed")


class CallFailedError(Exception):
    """A call failed as a whole. `code` and the message are Firehose's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclasses.dataclass
class TransformOutcome:
    ok: list[Record]
    dropped: list[Record]
    failed: list[Record]


def split_into_calls(records: Sequence[Record]) -> list[list[Record]]:
    """Split records into calls whose payload stays within 6 MB."""
    groups: list[list[Record]] = [[]]
    room = _MAX_PAYLOAD_BYTES - _ENVELOPE_BYTES
    for record in records:
        size = _compute_entry_bytes(len(record.data))
        if size > room and groups[-1]:
            groups.append([])
            room = _MAX_PAYLOAD_BYTES - _ENVELOPE_BYTES
        groups[-1].append(record)
        room -= size
    return groups


def call_transform(
    stream_id: ministack.StreamId, function: str, invocation_id: str, records: Sequence[Record]
) -> TransformOutcome:
    """Call the function once. Raises CallFailedError."""
    event = build_event(stream_id, invocation_id, records)
    return _sort_records(records, _parse_response(ministack.invoke_function(stream_id, function, event)))


def build_event(stream_id: ministack.StreamId, invocation_id: str, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "invocationId": invocation_id,
        "deliveryStreamArn": stream_id.arn,
        "region": stream_id.region,
        "records": [
            {
                "recordId": record.id,
                "approximateArrivalTimestamp": record.arrived_at,
                "data": base64.b64encode(record.data).decode(),
            }
            for record in records
        ],
    }


def build_error_line(record: Record, failure: CallFailedError, attempts: int, function: str) -> Record:
    """Return the record as one JSON line for the error prefix."""
    line = {
        "rawData": base64.b64encode(record.data).decode(),
        "errorCode": failure.code,
        "errorMessage": str(failure),
        "attemptsMade": attempts,
        "arrivalTimestamp": record.arrived_at,
        "attemptEndingTimestamp": time.time_ns() // 1_000_000,
        "lambdaARN": function,
    }
    return dataclasses.replace(record, data=json.dumps(line, separators=(",", ":")).encode() + b"\n")


def build_processing_failure() -> CallFailedError:
    return CallFailedError("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")


def _compute_entry_bytes(size: int) -> int:
    return 4 * ((size + 2) // 3) + _ENTRY_BYTES


def _parse_response(result: dict[str, Any] | None) -> list[dict[str, Any]]:
    if result is None:
        raise CallFailedError("Lambda.ResourceNotFound", "The specified Lambda function does not exist.")
    if result.get("throttle"):
        raise CallFailedError("Lambda.InvokeLimitExceeded", "The Lambda concurrent execution limit is exceeded.")
    body = result.get("body")
    if result.get("error"):
        if isinstance(body, dict) and body.get("errorType") == "Sandbox.Timedout":
            raise CallFailedError("Lambda.FunctionTimedOut", "The Lambda function invocation timed out.")
        raise CallFailedError(
            "Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."
        )
    try:
        response = json.loads(body) if isinstance(body, str | bytes) else body
    except ValueError:
        raise _build_parse_failure() from None
    entries = response.get("records") if isinstance(response, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _build_parse_failure()
    return entries


def _sort_records(records: Sequence[Record], entries: list[dict[str, Any]]) -> TransformOutcome:
    by_id = {str(entry.get("recordId")): entry for entry in entries}
    if len(by_id) != len(entries):
        raise CallFailedError("Lambda.DuplicatedRecordId", "Multiple records were returned with the same record ID.")
    if by_id.keys() != {record.id for record in records}:
        raise CallFailedError(
            "Lambda.MissingRecordId",
            "One or more record Ids were not returned. "
            "Ensure that the Lambda function returns all received record Ids.",
        )
    by_result: dict[str, list[Record]] = {result: [] for result in _RESULTS}
    for record in records:
        entry = by_id[record.id]
        result = entry.get("result")
        if result not in _RESULTS:
            raise _build_parse_failure()
        transformed = dataclasses.replace(record, data=_decode_data(entry)) if result == "Ok" else record
        by_result[result].append(transformed)
    return TransformOutcome(*(by_result[result] for result in _RESULTS))


def _decode_data(entry: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(entry["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _build_parse_failure() from None


def _build_parse_failure() -> CallFailedError:
    return CallFailedError(
        "Lambda.JsonProcessingException",
        "There was an error parsing returned records from the Lambda function. Ensure that the returned records "
        "follow the status model that is required by Amazon Data Firehose.",
    )
