"""Firehose's transform: checks every record's envelope and hands it on as JSON lines.

What is not a write is answered ProcessingFailed: Firehose keeps it under the error prefix, and the archive has it too.
"""

import base64
from typing import Any

from sluice.normalising import lines_of
from sluice.observability import Event, count, note, observed


def transform_record(record: dict[str, Any]) -> dict[str, Any]:
    """Answer one record of Firehose's event: Ok with its lines, or ProcessingFailed with the data as it came."""
    data = record["data"]
    came = base64.b64decode(data)
    writes = lines_of(came)
    if not writes:
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": data}
    lines = b"\n".join(writes) + b"\n"
    if lines != came:
        data = base64.b64encode(lines).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data}


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Answer a batch of records, each on its own."""
    answers = [transform_record(record) for record in event["records"]]
    failed = sum(answer["result"] != "Ok" for answer in answers)
    note(invocation=event.get("invocationId"), records=len(answers), failed=failed)
    if failed:
        count("RecordsFailed", failed)
    return {"records": answers}
