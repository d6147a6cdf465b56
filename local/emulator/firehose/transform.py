"""One call of the transform Lambda: what it is asked, what its answer means, what a failed record leaves behind."""

import base64
import binascii
import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any

from local.emulator.firehose import host
from local.emulator.firehose.spool import Record

_PAYLOAD_BYTES = 6 * 1024 * 1024
_ENVELOPE_BYTES = 512
_ENTRY_BYTES = 160
_RESULTS = ("Ok", "Dropped", "ProcessingFailed")


class CallFailedError(Exception):
    """The call as a whole failed; `code` and the message are those of Firehose."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclasses.dataclass
class Outcome:
    ok: list[Record]
    dropped: list[Record]
    failed: list[Record]


def calls(records: Sequence[Record]) -> list[list[Record]]:
    """Split records into calls whose payload stays within 6 MB."""
    groups: list[list[Record]] = [[]]
    room = _PAYLOAD_BYTES - _ENVELOPE_BYTES
    for record in records:
        size = _entry_bytes(len(record.data))
        if size > room and groups[-1]:
            groups.append([])
            room = _PAYLOAD_BYTES - _ENVELOPE_BYTES
        groups[-1].append(record)
        room -= size
    return groups


def call(scope: host.Scope, function: str, invocation: str, records: Sequence[Record]) -> Outcome:
    """Ask the function once. Raises CallFailedError."""
    return _outcome(records, _answers(host.invoke(scope, function, event(scope, invocation, records))))


def event(scope: host.Scope, invocation: str, records: Sequence[Record]) -> dict[str, Any]:
    """What the function is given."""
    return {
        "invocationId": invocation,
        "deliveryStreamArn": scope.arn,
        "region": scope.region,
        "records": [
            {
                "recordId": record.id,
                "approximateArrivalTimestamp": record.arrived,
                "data": base64.b64encode(record.data).decode(),
            }
            for record in records
        ],
    }


def error_line(record: Record, failure: CallFailedError, attempts: int, function: str) -> Record:
    """The record as one JSON line for the error prefix."""
    line = {
        "rawData": base64.b64encode(record.data).decode(),
        "errorCode": failure.code,
        "errorMessage": str(failure),
        "attemptsMade": attempts,
        "arrivalTimestamp": record.arrived,
        "attemptEndingTimestamp": time.time_ns() // 1_000_000,
        "lambdaARN": function,
    }
    return dataclasses.replace(record, data=json.dumps(line, separators=(",", ":")).encode() + b"\n")


def processing_failed() -> CallFailedError:
    return CallFailedError("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")


def _entry_bytes(size: int) -> int:
    return 4 * ((size + 2) // 3) + _ENTRY_BYTES


def _answers(result: dict[str, Any] | None) -> list[dict[str, Any]]:
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
        answer = json.loads(body) if isinstance(body, str | bytes) else body
    except ValueError:
        raise _unreadable() from None
    answers = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(answers, list) or not all(isinstance(entry, dict) for entry in answers):
        raise _unreadable()
    return answers


def _outcome(records: Sequence[Record], answers: list[dict[str, Any]]) -> Outcome:
    by_id = {str(answer.get("recordId")): answer for answer in answers}
    if len(by_id) != len(answers):
        raise CallFailedError("Lambda.DuplicatedRecordId", "Multiple records were returned with the same record ID.")
    if by_id.keys() != {record.id for record in records}:
        raise CallFailedError(
            "Lambda.MissingRecordId",
            "One or more record Ids were not returned. "
            "Ensure that the Lambda function returns all received record Ids.",
        )
    sorted_out: dict[str, list[Record]] = {result: [] for result in _RESULTS}
    for record in records:
        answer = by_id[record.id]
        result = answer.get("result")
        if result not in _RESULTS:
            raise _unreadable()
        made = dataclasses.replace(record, data=_data(answer)) if result == "Ok" else record
        sorted_out[result].append(made)
    return Outcome(*(sorted_out[result] for result in _RESULTS))


def _data(answer: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(answer["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _unreadable() from None


def _unreadable() -> CallFailedError:
    return CallFailedError(
        "Lambda.JsonProcessingException",
        "There was an error parsing returned records from the Lambda function. Ensure that the returned records "
        "follow the status model that is required by Amazon Data Firehose.",
    )
