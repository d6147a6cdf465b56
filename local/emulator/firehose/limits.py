"""What a put may hold, and how Firehose says no."""

import base64
import binascii
from typing import Any

RECORD_BYTES = 1_024_000
REQUEST_RECORDS = 500
REQUEST_BYTES = 4 * 1024 * 1024


class RefusedError(ValueError):
    """A request answered with an AWS error: `code` is its name, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def constraint(member: str, value: object, rule: str) -> RefusedError:
    """The error of a value outside of the service's model, in the words of AWS."""
    shown = "null" if value is None else f"'{value}'"
    return RefusedError(
        "ValidationException",
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint: Member must {rule}",
    )


def unavailable() -> RefusedError:
    return RefusedError("ServiceUnavailableException", "Service is unavailable. Back off and retry the operation.", 503)


def record(data: dict[str, Any]) -> bytes:
    """The bytes of a PutRecord request. Raises RefusedError."""
    return _decoded(data.get("Record"), "record")


def records(data: dict[str, Any]) -> list[bytes]:
    """The bytes of each record of a PutRecordBatch request, 1 to 500 of them. Raises RefusedError."""
    given = data.get("Records")
    if not isinstance(given, list):
        raise constraint("records", None, "not be null")
    if not given:
        raise constraint("records", "[]", "have length greater than or equal to 1")
    if len(given) > REQUEST_RECORDS:
        raise constraint("records", "[...]", f"have length less than or equal to {REQUEST_RECORDS}")
    decoded = [_decoded(entry, f"records.{number}.member") for number, entry in enumerate(given, 1)]
    if sum(map(len, decoded)) > REQUEST_BYTES:
        raise RefusedError("InvalidArgumentException", "Records size exceeds 4 MB limit")
    return decoded


def _decoded(entry: Any, member: str) -> bytes:
    if not isinstance(entry, dict):
        raise constraint(member, None, "not be null")
    text = entry.get("Data")
    if not isinstance(text, str):
        raise constraint(f"{member}.data", None, "not be null")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError("SerializationException", f"{member}.data is not base64") from None
    if len(data) > RECORD_BYTES:
        shown = f"java.nio.HeapByteBuffer[pos=0 lim={len(data)} cap={len(data)}]"
        raise constraint(f"{member}.data", shown, f"have length less than or equal to {RECORD_BYTES}")
    return data
