"""Firehose's transform: checks every record's envelope and hands it on as JSON lines.

A record without any write is answered ProcessingFailed: Firehose keeps it under the error prefix, and the archive has
it too. Of a record with some writes these go on, and what is none stays behind in the archive.
"""

import base64
from typing import Any

from sluice.model.record import split_record
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler


def transform_record(record: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Answer one record of Firehose's event, and say how many of its lines are no writes.

    The answer is Ok with the lines that are, or ProcessingFailed with the data as it came.
    """
    data = record["data"]
    came = base64.b64decode(data)
    writes, others = split_record(came)
    if not writes:
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": data}, others
    lines = b"\n".join(writes) + b"\n"
    if lines != came:
        data = base64.b64encode(lines).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data}, others


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Answer a batch of records, each on its own."""
    found = [transform_record(record) for record in event["records"]]
    answers = [answer for answer, _ in found]
    failed = sum(bool(others) or answer["result"] != "Ok" for answer, others in found)
    lines_failed = sum(others for _, others in found)
    add_log_fields(invocation=event.get("invocationId"), records=len(answers), failed=failed, lines_failed=lines_failed)
    if failed:
        add_metric("RecordsFailed", failed)
    return {"records": answers}
