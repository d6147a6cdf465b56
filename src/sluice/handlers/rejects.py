"""The store of rejected writes, for operators: `{"action": "list" | "retry" | "drop" | "settle", …}` in."""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.database import Database
from sluice.inputs import InvalidInput
from sluice.observability import Event, count, note, observed
from sluice.reasons import without_data
from sluice.recovering import rejects
from sluice.recovering.rejects import Selection
from sluice.recovering.retries import retry, settle
from sluice.settings import RejectsSettings, read

STATEMENT_SECONDS = 30
# An answer of Lambda's has 6 MB, of JSON in JSON.
LARGEST_ANSWER = 2 << 20

_settings = read(RejectsSettings)
_primary = Database(_settings, statement_seconds=STATEMENT_SECONDS)


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """`after` is the version that an earlier answer ended with. `data` asks for owners, reasons and writes in full."""

    action: Literal["list", "retry", "drop", "settle"]
    select: Selection = Selection()
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    data: bool = False


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Do the action of an event. Raises InvalidInput, and faults by name."""
    try:
        request = msgspec.convert(event, Request)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request is wrong: {error}. See events/rejects/ for what it takes.") from None
    note(action=request.action)
    found: Any
    if request.action == "list":
        found = _listed(request)
    elif request.action == "retry":
        found = retry(
            _primary, _settings.batch_bucket, request.select, request.after, datetime.datetime.now(datetime.UTC)
        )
        note(batch=found.batch, writes=found.writes, broken=found.broken)
        count("RejectsRetried", found.writes)
    elif request.action == "drop":
        dropped = rejects.drop(_primary, request.select)
        note(dropped=dropped)
        found = {"dropped": dropped, "more": dropped == rejects.DROPPED_AT_ONCE}
    else:
        found = settle(_primary, _settings.batch_bucket)
        note(**msgspec.to_builtins(found))
    return dict(msgspec.to_builtins(found))


def _listed(request: Request) -> dict[str, Any]:
    rows = rejects.page(_primary, request.select, request.after, request.limit)
    more = len(rows) == request.limit
    if request.data:
        rows, cut = _with_writes(rows)
        more = more or cut
    else:
        rows = [_without_data(row) for row in rows]
    return {
        "total": rejects.total(_primary, request.select),
        "rejects": rows,
        "after": rows[-1]["version"] if rows and more else None,
    }


def _without_data(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name != "owner"}
    return {**kept, "reason": without_data(row["reason"])}


def _with_writes(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The rows with their writes, as many as an answer can carry, and whether that were not all."""
    full: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        # One at a time, so that large ones need no more memory than there is. None: it was taken out meanwhile.
        for found in rejects.writes(_primary, Selection(versions=(row["version"],)), "", 1):
            size += len(found["write"])
            if full and size > LARGEST_ANSWER:
                return full, True
            full.append({**row, "write": found["write"]})
    return full, False
