"""The messages of the console's API, between the server and the page.

Every request to `/api/` needs the header `Sluice-Console-Token`, streams too: `EventSource` cannot send headers, so the
page reads streams with `fetch`. The page gets the token from the fragment of its own address, `/#token=…`, which no
browser sends anywhere. A POST needs the server's own `Origin` and the type `application/json` as well.

Errors are `Problem`, with 400 (the request), 401 (the token), 403 (Host or Origin), 404, 409 (a dry run or the stack's
name is missing), 413 and 415 (size and type of a body), 502 (AWS or a function of the stack failed).

    GET  /api/stack                        StackDescription
    GET  /api/events                       stream: `snapshot` Snapshot, each time it is read
    GET  /api/timeline?minutes=60          Timeline
    GET  /api/batches?minutes=60&state=…   Rows of Batch, the latest first
    GET  /api/batches/{key}                BatchContent (the slashes of the key as they are)
    GET  /api/rejected-writes?limit=100    Rows of RejectedWrite
    GET  /api/quarantine                   Rows of {key, size, since}
    GET  /api/executions?workflow=…        Rows of Execution, the latest first
    GET  /api/executions/{workflow}/{name} ExecutionDetails
    GET  /api/items/{collection}/{id}?owner=…&hours=24
                                           ItemHistory; with `Accept: text/event-stream` a stream: `progress` Progress,
                                           then `history` ItemHistory or `problem` Problem
    POST /api/commands/{name}              CommandRequest → 202 StartedRun (a name may have a space: encode it)
    GET  /api/runs/{run}/events            stream: `line` RunLine, at last `end` RunEnd; from the start, also afterwards

Times are RFC 3339 in UTC; None is what is unknown. Texts of clients (ids, owners, reasons, data) may contain anything.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

TOKEN_HEADER = "Sluice-Console-Token"  # noqa: S105  the name of a header

BatchState = Literal["loaded", "pending", "parked", "quarantined", "unknown"]
WriteState = Literal["applied", "superseded", "rejected", "pending", "unknown"]


@dataclass(frozen=True)
class Problem:
    """An error: a sentence, and what to do (may be empty)."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class Argument:
    """An argument of a command. `list` is several texts, `flag` a truth value; `time` is RFC 3339, a day or an age."""

    name: str
    label: str  # what the command line calls it: `--from`, `KEY`
    kind: Literal["text", "time", "number", "choice", "flag", "list"]
    choices: list[str]
    default: Any
    help: str


@dataclass(frozen=True)
class Command:
    """A command that the page can run. `name` is what an operator types: `replay`, `quarantine drop`."""

    name: str
    summary: str
    is_destructive: bool  # needs the stack's name, and before that a dry run where the command has one
    has_dry_run: bool
    arguments: list[Argument]


@dataclass(frozen=True)
class StackDescription:
    """The stack of this console, and what can be run on it."""

    name: str
    region: str
    is_local: bool
    refresh_seconds: float  # how often a snapshot is read
    commands: list[Command]


@dataclass(frozen=True)
class Rates:
    """Per second, over the latest whole period of the metrics."""

    requests: float | None = None
    writes_accepted: float | None = None
    writes_applied: float | None = None
    reads: float | None = None
    errors: float | None = None  # answers with 5xx


@dataclass(frozen=True)
class Waiting:
    """What S3 has and the ledger lacks."""

    batches: int
    bytes: int
    oldest_seconds: float | None


@dataclass(frozen=True)
class Alarm:
    """An alarm of the stack. `runbook` is a page of the documentation, such as `how-to/outages.md#anchor`, or empty."""

    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    since: str
    reason: str
    description: str
    runbook: str


@dataclass(frozen=True)
class Calls:
    """Calls of AWS by this console: since its start, and per hour with a tab open, and what these cost."""

    total: int
    per_hour: float
    dollars_per_hour: float


@dataclass(frozen=True)
class Snapshot:
    """The live picture. `status` is the document of `sluice status --json`; None, with a problem, when it fails."""

    at: str
    status: dict[str, Any] | None
    rates: Rates
    lag_seconds: float | None
    waiting: Waiting | None
    alarms: list[Alarm]
    calls: Calls
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """A batch in S3. The counts are those of its load; None while it is not loaded."""

    key: str
    delivered_at: str
    bytes: int
    state: BatchState
    loaded_at: str | None = None
    writes: int | None = None
    applied: int | None = None
    stale: int | None = None
    rejected: int | None = None


@dataclass(frozen=True)
class Execution:
    """An execution of a workflow."""

    workflow: str
    name: str
    status: Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]
    started_at: str
    ended_at: str | None


@dataclass(frozen=True)
class ExecutionDetails(Execution):
    """An execution with its input, its output, and the sentence of its failure; `lines` are its report."""

    input: Any = None
    output: Any = None
    error: str = ""
    message: str = ""
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outage:
    """A time in which a server was unavailable, as this console saw it, or in which batches waited.

    `kind` is `primary`, the name of a replica (`replica-1`), or `batches`.
    """

    from_: str
    to: str | None  # None: it lasts
    kind: str


@dataclass(frozen=True)
class RatePoint:
    """Writes per second in the period that begins at `at`."""

    at: str
    accepted: float
    applied: float


@dataclass(frozen=True)
class Timeline:
    """What happened in a window. `from_` is `from` in JSON. `is_complete` is false when there are more batches."""

    from_: str
    to: str
    batches: list[Batch]
    executions: list[Execution]
    outages: list[Outage]
    rates: list[RatePoint]
    is_complete: bool
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Rows:
    """A list. `is_complete` is false when there are more than these."""

    rows: list[Any]
    is_complete: bool = True
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class BatchWrite:
    """A write in a batch."""

    version: str
    collection: str
    id: str
    owner: str
    operation: str
    accepted_at: str
    request_id: str


@dataclass(frozen=True)
class BatchContent:
    """A batch and its first writes."""

    batch: Batch
    writes: list[BatchWrite]
    is_complete: bool


@dataclass(frozen=True)
class RejectedWrite:
    """A write that the database rejected. The reason quotes no data."""

    version: str
    collection: str
    id: str
    reason: str
    batch: str
    line: int


@dataclass(frozen=True)
class HistoryWrite:
    """One write of an item. `superseded_by` is the version of the next write, None for the last one.

    `state` is that of the write's receipt as far as S3 and the ledger tell: `pending` until its batch is loaded.
    `copies` counts the batches that have the write too, by a retry of Firehose or of a rejected write.
    """

    version: str
    operation: Literal["put", "delete"]
    accepted_at: str
    batch: str
    line: int
    state: WriteState
    superseded_by: str | None
    reason: str | None
    request_id: str
    data: Any
    copies: int = 0


@dataclass(frozen=True)
class ItemHistory:
    """All writes of an item in a window, the oldest first."""

    item: dict[str, str]  # collection, id, owner
    from_: str
    writes: list[HistoryWrite]
    owners: list[str]  # of items with this id in the window; more than one: choose with `owner=`
    scanned_batches: int
    is_complete: bool
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    scanned: int
    total: int
    matches: int


@dataclass(frozen=True)
class CommandRequest:
    """Run a command. `arguments` are by name; what is missing has its default."""

    arguments: dict[str, Any]
    dry_run: bool
    confirmation: str = ""


@dataclass(frozen=True)
class StartedRun:
    """A run that has started."""

    run: str


@dataclass(frozen=True)
class RunLine:
    """A line that the command printed."""

    text: str


@dataclass(frozen=True)
class RunEnd:
    """The end of a run: the exit code of the command line, and the document that `--json` prints (None on errors)."""

    exit_code: int
    report: Any


def encode_message(message: Any) -> bytes:
    """A message as JSON on one line, in ASCII: no text of a client is markup to any reader."""
    return json.dumps(to_document(message), separators=(",", ":")).encode()


def to_document(message: Any) -> Any:
    """A message as JSON values. A field whose name is a word of Python (`from_`) loses its final underscore."""
    if isinstance(message, dict):
        return {name: to_document(value) for name, value in message.items()}
    if isinstance(message, list | tuple):
        return [to_document(value) for value in message]
    fields = getattr(message, "__dataclass_fields__", None)
    if fields is None:
        return message
    return {name.rstrip("_"): to_document(getattr(message, name)) for name in fields}
