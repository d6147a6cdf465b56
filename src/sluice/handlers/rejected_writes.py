"""The store of rejected writes, for operators: `{"action": "list" | "retry" | "drop" | "settle", …}` in."""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.db.errors import redact_quoted_data
from sluice.errors import InvalidInput
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.recovery import rejected_write_store as rejects
from sluice.recovery.rejected_write_store import RejectedWriteSelection
from sluice.recovery.retries import retry_rejected_writes, settle_retries
from sluice.settings import RejectedWritesSettings, read_settings

STATEMENT_SECONDS = 30


# An answer of Lambda's has 6 MB, of JSON in JSON.
MAX_RESPONSE_BYTES = 2 << 20


_settings = read_settings(RejectedWritesSettings)
_bucket = S3Client().bucket(_settings.batch_bucket)


_primary = Database(_settings, statement_timeout_seconds=STATEMENT_SECONDS)


class RejectedWritesRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`after` is the version that an earlier answer ended with. `data` asks for owners, reasons and writes in full."""

    action: Literal["list", "retry", "drop", "settle"]
    select: RejectedWriteSelection = RejectedWriteSelection()
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    data: bool = False


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Do the action of an event. Raises InvalidInput, and faults by name."""
    try:
        request = msgspec.convert(event, RejectedWritesRequest)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request is wrong: {error}. See events/rejected_writes/ for what it takes.") from None
    add_log_fields(action=request.action)
    found: Any
    if request.action == "list":
        found = _list_page(request)
    elif request.action == "retry":
        found = retry_rejected_writes(
            _primary, _bucket, request.select, request.after, datetime.datetime.now(datetime.UTC)
        )
        add_log_fields(batch=found.batch, writes=found.writes, invalid=found.invalid)
        add_metric("RejectedWritesRetried", found.writes)
    elif request.action == "drop":
        dropped = rejects.delete_rejected_writes(_primary, request.select)
        add_log_fields(dropped=dropped)
        found = {"dropped": dropped, "more": dropped == rejects.DELETE_BATCH_SIZE}
    else:
        found = settle_retries(_primary, _bucket)
        add_log_fields(**msgspec.to_builtins(found))
    return dict(msgspec.to_builtins(found))


def _list_page(request: RejectedWritesRequest) -> dict[str, Any]:
    rows = rejects.list_rejected_writes(_primary, request.select, request.after, request.limit)
    more = len(rows) == request.limit
    if request.data:
        rows, cut = _add_payloads(rows)
        more = more or cut
    else:
        rows = [_redact_row(row) for row in rows]
    return {
        "total": rejects.count_rejected_writes(_primary, request.select),
        "rejected_writes": rows,
        "after": rows[-1]["version"] if rows and more else None,
    }


def _redact_row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name != "owner"}
    return {**kept, "reason": redact_quoted_data(row["reason"])}


def _add_payloads(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The rows with their writes, as many as an answer can carry, and whether that were not all."""
    full: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        # One at a time, so that large ones need no more memory than there is. None: it was taken out meanwhile.
        for found in rejects.list_rejected_payloads(
            _primary, RejectedWriteSelection(versions=(row["version"],)), "", 1
        ):
            size += len(found["write"])
            if full and size > MAX_RESPONSE_BYTES:
                return full, True
            full.append({**row, "write": found["write"]})
    return full, False
