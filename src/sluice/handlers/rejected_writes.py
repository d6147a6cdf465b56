"""List, retry and delete rejected writes for operators: `{"action": "list" | "retry" | "drop" | "settle", …}`."""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.db.errors import redact_quoted_data
from sluice.errors import InvalidInput
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.recovery.rejected_write_store import (
    DELETE_BATCH_SIZE,
    RejectedWriteSelection,
    count_rejected_writes,
    delete_rejected_writes,
    list_rejected_payloads,
    list_rejected_writes,
    retry_rejected_writes,
    settle_retries,
)
from sluice.settings import RejectedWritesSettings, read_settings

STATEMENT_TIMEOUT_SECONDS = 30
# A response of Lambda may have 6 MB. It contains the writes as JSON in JSON, which doubles the quotes and backslashes.
MAX_RESPONSE_BYTES = 2 << 20

_settings = read_settings(RejectedWritesSettings)
_batches = S3Client().bucket(_settings.batch_bucket)
_primary = Database(_settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)


class RejectedWritesRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`after` is the last version of an earlier response. `data` requests owners, reasons and writes in full."""

    action: Literal["list", "retry", "drop", "settle"]
    select: RejectedWriteSelection = RejectedWriteSelection()
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    data: bool = False


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Run the action of an event. Raises InvalidInput, and the database errors of `sluice.errors`."""
    try:
        request = msgspec.convert(event, RejectedWritesRequest)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request is invalid: {error}. See events/rejected_writes/ for examples.") from None
    add_log_fields(action=request.action)
    run_action = {"list": _list_page, "retry": _retry, "drop": _drop, "settle": _settle}[request.action]
    return dict(msgspec.to_builtins(run_action(request)))


def _list_page(request: RejectedWritesRequest) -> dict[str, Any]:
    rows = list_rejected_writes(_primary, request.select, request.after, request.limit)
    has_more = len(rows) == request.limit
    if request.data:
        rows, is_cut = _add_payloads(rows)
        has_more = has_more or is_cut
    else:
        rows = [_redact_row(row) for row in rows]
    return {
        "total": count_rejected_writes(_primary, request.select),
        "rejected_writes": rows,
        "after": rows[-1]["version"] if rows and has_more else None,
    }


def _redact_row(row: dict[str, Any]) -> dict[str, Any]:
    public = {name: value for name, value in row.items() if name != "owner"}
    return {**public, "reason": redact_quoted_data(row["reason"])}


def _add_payloads(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Add the writes to as many rows as fit the response, and say whether rows were left out."""
    complete: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        # One write at a time, to limit the memory for large ones. A write that was deleted meanwhile is skipped.
        select = RejectedWriteSelection(versions=(row["version"],))
        for payload in list_rejected_payloads(_primary, select, "", 1):
            size += len(payload["write"])
            if complete and size > MAX_RESPONSE_BYTES:
                return complete, True
            complete.append({**row, "write": payload["write"]})
    return complete, False


def _retry(request: RejectedWritesRequest) -> Any:
    now = datetime.datetime.now(datetime.UTC)
    result = retry_rejected_writes(_primary, _batches, request.select, request.after, now)
    add_log_fields(batch=result.batch, writes=result.writes, invalid=result.invalid)
    add_metric("RejectedWritesRetried", result.writes)
    return result


def _drop(request: RejectedWritesRequest) -> Any:
    deleted = delete_rejected_writes(_primary, request.select)
    add_log_fields(dropped=deleted)
    return {"dropped": deleted, "more": deleted == DELETE_BATCH_SIZE}


def _settle(_request: RejectedWritesRequest) -> Any:
    result = settle_retries(_primary, _batches)
    add_log_fields(**msgspec.to_builtins(result))
    return result
