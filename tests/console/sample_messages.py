"""What the console's server answers in the tests of the page: a stack at work, and one whose primary is unavailable."""

import datetime
from dataclasses import replace
from typing import Any, Literal

from ops.console.command_list import build_commands
from ops.console.messages import (
    Alarm,
    Argument,
    Batch,
    BatchContent,
    BatchWrite,
    Calls,
    Command,
    Execution,
    ExecutionDetails,
    HistoryWrite,
    ItemHistory,
    Outage,
    RatePoint,
    Rates,
    RejectedWrite,
    Rows,
    Snapshot,
    StackDescription,
    Timeline,
    Waiting,
    WriteState,
)

STACK = "sluice-sample"
NOW = datetime.datetime(2026, 11, 29, 17, 0, tzinfo=datetime.UTC)
KEY = "batches/2026/11/29/16/sluice-1-2026-11-29-16-40-00-0001.jsonl.gz"
VERSIONS = ("01KB7R0000000000000000000A", "01KB7R1000000000000000000B", "01KB7R2000000000000000000C")
# The outage of the timeline, in seconds before NOW.
OUTAGE_BEGINS, OUTAGE_ENDS = 1_800, 1_200
REASON = "elevation: Out of range value"

Kind = Literal["text", "time", "number", "choice", "flag", "list"]


def at(seconds: float) -> str:
    """The time so many seconds before NOW, in RFC 3339."""
    return (NOW - datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def argument(
    name: str, kind: Kind, help_: str, choices: list[str] | None = None, default: Any = None, label: str = ""
) -> Argument:
    return Argument(name, label or f"--{name}", kind, choices or [], default, help_)


def command(
    name: str, summary: str, *arguments: Argument, is_destructive: bool = False, has_dry_run: bool = True
) -> Command:
    return Command(name, summary, is_destructive, has_dry_run, list(arguments))


STACK_DESCRIPTION = StackDescription(
    name=STACK,
    region="eu-central-1",
    is_local=False,
    refresh_seconds=2,
    commands=[
        command(
            "replay",
            "load the batches that the ledger lacks",
            argument("begins", "time", "start of the window of arrival", label="--from"),
            argument("collection", "list", "load only writes to this collection"),
            argument("source", "choice", "bucket to load from", ["batches", "archive"], "batches"),
            argument("wait", "flag", "wait until the replay ends, and report", default=False),
        ),
        command(
            "rebuild",
            "build new tables from S3 and swap them in",
            argument("reason", "text", "reason, stored with the exclusions"),
            is_destructive=True,
        ),
        build_commands()["restore"].describe(),
        command(
            "quarantine drop",
            "delete quarantined batches; the archive keeps their records",
            argument("keys", "list", "key of a batch", label="KEY"),
            argument("all", "flag", "every quarantined batch"),
            is_destructive=True,
        ),
        command(
            "clients remove",
            "delete a client and its key",
            argument("client", "text", "name of the client"),
            is_destructive=True,
            has_dry_run=False,
        ),
        command(
            "verify",
            "prove that the stack works",
            argument("window", "number", "minutes to compare", default=60),
            has_dry_run=False,
        ),
    ],
)


def create_replica(number: int, **changes: Any) -> dict[str, Any]:
    """A replica in the document of `sluice status --json`; without changes it replicates."""
    healthy = {"is_reachable": True, "replicates": True, "seconds": 0.2, "reason": ""}
    return {"name": f"replica-{number}", **healthy, **changes}


def create_status(*, is_outage: bool) -> dict[str, Any]:
    """The document of `sluice status --json`."""
    advice = ["The primary does not respond. The API still accepts writes; a recovery loads them later."]
    reason = "timed out" if is_outage else ""
    return {
        "stack": STACK,
        "region": "eu-central-1",
        "primary": {"is_reachable": not is_outage, "accepts_writes": not is_outage, "reason": reason},
        "replicas": [
            create_replica(number, replicates=not is_outage, seconds=None if is_outage else seconds)
            for number, seconds in ((1, 0.2), (2, 1))
        ],
        "lag_seconds": None if is_outage else 1,
        "loaded": None if is_outage else 1_234,
        "pending": None,
        "loading": 1,
        "parked": 3 if is_outage else 0,
        "parked_exact": True,
        "quarantined": 1,
        "rejected_writes": None if is_outage else 0,
        "undelivered": 0,
        "dead_letters": 0,
        "alerts": {"confirmed": 1, "pending": 0},
        "is_protected": True,
        "running": {"recover": ["scheduled-1"] if is_outage else [], "replay": [], "rebuild": []},
        "advice": [*(advice if is_outage else []), "1 batch cannot be read: see `sluice quarantine list`."],
    }


def create_snapshot(*, is_outage: bool = False, seconds: float = 0) -> Snapshot:
    """A snapshot so many seconds after NOW."""
    return Snapshot(
        at=at(-seconds),
        status=create_status(is_outage=is_outage),
        rates=Rates(
            requests=42.4, writes_accepted=1234.5, writes_applied=0.0 if is_outage else 1200.0, reads=17.0, errors=0.0
        ),
        lag_seconds=None if is_outage else 1.0,
        waiting=Waiting(batches=30 if is_outage else 2, bytes=4_096, oldest_seconds=75.0),
        alarms=[
            Alarm(
                name="BatchesParked",
                state="ALARM" if is_outage else "OK",
                since=at(60),
                reason="3 batches are parked",
                description="Batches gave up their load.",
                runbook="how-to/parked-batches.md",
            ),
            Alarm(
                name="Errors",
                state="OK",
                since=at(3_600),
                reason="",
                description="Errors.",
                runbook="how-to/operate.md",
            ),
            Alarm(name="Lag", state="INSUFFICIENT_DATA", since=at(3_600), reason="", description="Lag.", runbook=""),
        ],
        calls=Calls(total=120, per_hour=1_440, dollars_per_hour=0.0123),
    )


def create_batches(count: int) -> list[Batch]:
    """Batches of an hour; those of the outage were loaded after it, the last two are not loaded."""

    def create(number: int) -> Batch:
        delivered = 3_500 - number * (3_400 / count)
        loaded = OUTAGE_ENDS - 15 if OUTAGE_ENDS < delivered <= OUTAGE_BEGINS else delivered - 4
        return Batch(
            key=f"batches/2026/11/29/16/sluice-{number:04}.jsonl.gz",
            delivered_at=at(delivered),
            bytes=20_000,
            state="loaded",
            loaded_at=at(loaded),
            writes=500 + number,
        )

    *batches, parked, pending = map(create, range(count))
    parked = replace(parked, state="parked", loaded_at=None, writes=None)
    return [*batches, parked, replace(pending, state="pending", loaded_at=None, writes=None)]


EXECUTIONS = [
    Execution("recover", "scheduled-1", "SUCCEEDED", at(OUTAGE_BEGINS - 60), at(OUTAGE_ENDS - 20)),
    Execution("replay", "recover-1", "SUCCEEDED", at(OUTAGE_ENDS - 2), at(OUTAGE_ENDS - 18)),
    Execution("load_batch", "load-1", "FAILED", at(OUTAGE_BEGINS - 1), at(OUTAGE_ENDS + 60)),
]


def create_timeline(count: int = 60) -> Timeline:
    """An hour with an outage of ten minutes, after which all batches of it are loaded."""
    rates = [
        RatePoint(at(seconds), accepted=1_000.0, applied=0.0 if OUTAGE_ENDS <= seconds <= OUTAGE_BEGINS else 990.0)
        for seconds in range(3_600, 0, -60)
    ]
    outages = [Outage(from_=at(OUTAGE_BEGINS), to=at(OUTAGE_ENDS), kind="primary")]
    return Timeline(
        from_=at(3_600),
        to=at(0),
        batches=create_batches(count),
        executions=EXECUTIONS,
        outages=outages,
        rates=rates,
        is_complete=True,
    )


def create_history() -> ItemHistory:
    def create(version: str, seconds: int, state: WriteState, **members: Any) -> HistoryWrite:
        return HistoryWrite(
            version=version,
            operation="put",
            accepted_at=at(seconds),
            batch=KEY,
            line=3,
            state=state,
            superseded_by=members.get("superseded_by"),
            reason=members.get("reason"),
            request_id=f"request-{seconds}",
            data={"icao": "LPPT", "name": f"Lisbon {seconds}"},
            copies=members.get("copies", 0),
        )

    return ItemHistory(
        item={"collection": "airports", "id": "LPPT", "owner": ""},
        from_=at(86_400),
        writes=[
            create(VERSIONS[0], 900, "superseded", superseded_by=VERSIONS[1]),
            create(VERSIONS[1], 600, "applied", copies=1),
            create(VERSIONS[2], 10, "rejected", reason=REASON),
        ],
        owners=["", "ana"],
        scanned_batches=60,
        is_complete=True,
    )


def create_messages() -> dict[str, Any]:
    """The answer to each GET of the page, by path."""
    write = BatchWrite(VERSIONS[0], "airports", "LPPT", "", "put", at(900), "request-900")
    first = replace(create_batches(3)[0], key=KEY)
    return {
        "/api/stack": STACK_DESCRIPTION,
        "/api/timeline": create_timeline(),
        "/api/batches": Rows(list(reversed(create_batches(60)))),
        f"/api/batches/{KEY}": BatchContent(first, [write], is_complete=False),
        "/api/rejected-writes": Rows([RejectedWrite(VERSIONS[2], "airports", "LPPT", REASON, KEY, 3)]),
        "/api/quarantine": Rows([{"key": f"quarantine/{KEY}", "size": 512, "since": at(700)}]),
        "/api/executions": Rows(list(EXECUTIONS)),
        "/api/executions/recover/scheduled-1": ExecutionDetails(
            "recover",
            "scheduled-1",
            "SUCCEEDED",
            at(OUTAGE_BEGINS),
            at(OUTAGE_ENDS),
            input={"trigger": "schedule"},
            output={"outcome": "recovered"},
            lines=["recovered: nothing remains"],
        ),
        "/api/items/airports/LPPT": create_history(),
    }
