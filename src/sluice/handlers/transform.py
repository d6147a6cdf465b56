"""Firehose's transform: check the envelope of every record and return its writes as JSON lines.

A record without any write gets the result ProcessingFailed: Firehose keeps it under the error prefix, and the archive
has it too. Of a record with some writes, these go on; its other lines stay in the archive only. The probe of a status
is dropped.
"""

import base64
from typing import Any

from sluice.model.record import PROBE_RECORD, split_record
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler


def transform_record(record: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the result of one record of Firehose's event, and how many of its lines are no writes.

    The result is Ok with the writes, ProcessingFailed with the data as received, or Dropped for a probe.
    """
    data = record["data"]
    content = base64.b64decode(data)
    if content == PROBE_RECORD:
        return {"recordId": record["recordId"], "result": "Dropped", "data": data}, 0
    writes, invalid_lines = split_record(content)
    if not writes:
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": data}, invalid_lines
    lines = b"\n".join(writes) + b"\n"
    if lines != content:
        data = base64.b64encode(lines).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data}, invalid_lines


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Transform a batch of records, each on its own."""
    transformed = [transform_record(record) for record in event["records"]]
    results = [result for result, _ in transformed]
    failed = sum(bool(invalid_lines) or result["result"] == "ProcessingFailed" for result, invalid_lines in transformed)
    lines_failed = sum(invalid_lines for _, invalid_lines in transformed)
    add_log_fields(invocation=event.get("invocationId"), records=len(results), failed=failed, lines_failed=lines_failed)
    if failed:
        add_metric("RecordsFailed", failed)
    return {"records": results}
