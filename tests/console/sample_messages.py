"""What the console's server answers in the tests of the page: a stack at work, and one whose primary is unavailable."""

import datetime
from typing import Any

STACK = "sluice-sample"
NOW = datetime.datetime(2026, 11, 29, 17, 0, tzinfo=datetime.UTC)
OUTAGE_SECONDS = 600
KEY = "batches/2026/11/29/16/sluice-1-2026-11-29-16-40-00-0001.jsonl.gz"
VERSIONS = ("01KB7R0000000000000000000A", "01KB7R1000000000000000000B", "01KB7R2000000000000000000C")


def at(seconds: float) -> str:
    """The time so many seconds before NOW, in RFC 3339."""
    return (NOW - datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def argument(name: str, kind: str = "text", help_: str = "", **members: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "choices": [], "default": None, "help": help_, **members}


COMMANDS = [
    {
        "name": "replay", "summary": "load the batches that the ledger lacks", "is_destructive": False, "has_dry_run": True,
        "arguments": [
            argument("from", "time", "start of the window of arrival"),
            argument("collection", "list", "load only writes to this collection"),
            argument("source", "choice", "bucket to load from", choices=["batches", "archive"], default="batches"),
            argument("wait", "flag", "wait until the replay ends, and report"),
        ],
    },
    {
        "name": "rebuild", "summary": "build new tables from S3 and swap them in", "is_destructive": True, "has_dry_run": True,
        "arguments": [argument("reason", help_="reason, stored with the exclusions")],
    },
    {
        "name": "clients remove", "summary": "delete a client and its key", "is_destructive": True, "has_dry_run": False,
        "arguments": [argument("client", help_="name of the client")],
    },
    {
        "name": "verify", "summary": "prove that the stack works", "is_destructive": False, "has_dry_run": False,
        "arguments": [argument("window", "number", "minutes to compare", default=60)],
    },
]  # fmt: skip


def stack_message(token: str) -> dict[str, Any]:
    return {
        "name": STACK, "region": "eu-central-1", "is_local": False, "refresh_seconds": 2, "commands": COMMANDS, "token": token,
    }  # fmt: skip


def status(*, is_outage: bool) -> dict[str, Any]:
    advice = ["The primary does not respond. The API still accepts writes; a recovery loads them later."]
    pending = {"batches": 2, "bytes": 4_096, "oldest": at(12), "age_seconds": 12, "sample": [KEY]}
    return {
        "stack": STACK, "region": "eu-central-1",
        "primary": {"is_reachable": not is_outage, "accepts_writes": not is_outage, "reason": "timed out" if is_outage else ""},
        "replica": {"is_reachable": True, "replicates": not is_outage, "seconds": None if is_outage else 1, "reason": ""},
        "lag_seconds": None if is_outage else 1,
        "loaded": None if is_outage else 1_234, "pending": None if is_outage else pending,
        "loading": 1, "parked": 3 if is_outage else 0, "parked_exact": True, "quarantined": 1,
        "rejected_writes": None if is_outage else 0, "undelivered": 0, "dead_letters": 0,
        "alerts": {"confirmed": 1, "pending": 0}, "is_protected": True,
        "running": {"recover": ["scheduled-1"] if is_outage else [], "replay": [], "rebuild": []},
        "advice": [*(advice if is_outage else []), "1 batch cannot be read: see `sluice quarantine list`."],
    }  # fmt: skip


def snapshot(*, is_outage: bool = False) -> dict[str, Any]:
    return {
        "at": at(0), "status": status(is_outage=is_outage),
        "rates": {"requests": 42.4, "writes_accepted": 1234.5, "writes_applied": 0.0 if is_outage else 1200.0, "reads": 17.0, "errors": 0.0},
        "lag_seconds": None if is_outage else 1.0,
        "waiting": {"batches": 30 if is_outage else 2, "bytes": 4_096, "oldest_seconds": 75.0},
        "alarms": [
            {"name": "BatchesParked", "state": "ALARM" if is_outage else "OK", "since": at(60), "runbook": "docs/how-to/parked-batches.md"},
            {"name": "Errors", "state": "OK", "since": at(3_600), "runbook": "https://docs.example/errors"},
            {"name": "ReplicaLag", "state": "INSUFFICIENT_DATA", "since": None, "runbook": ""},
        ],
    }  # fmt: skip


def timeline(count: int = 60) -> dict[str, Any]:
    """An hour with an outage of ten minutes, after which all batches of it are loaded."""
    begins, ends = 1_800, 1_800 - OUTAGE_SECONDS

    def loaded(delivered: float) -> float:
        return ends - 15 if ends < delivered <= begins else delivered - 4

    delivered = [3_500 - number * (3_400 / count) for number in range(count)]
    batches = [
        {
            "key": f"batches/2026/11/29/16/sluice-{number:04}.jsonl.gz", "delivered_at": at(seconds),
            "loaded_at": at(loaded(seconds)), "writes": 500 + number, "state": "loaded",
        }
        for number, seconds in enumerate(delivered)
    ]  # fmt: skip
    batches[-1] |= {"loaded_at": None, "state": "pending"}
    batches[-2] |= {"loaded_at": None, "state": "parked"}
    executions = [
        {
            "workflow": "recover",
            "name": "scheduled-1",
            "status": "SUCCEEDED",
            "started_at": at(begins - 60),
            "ended_at": at(ends - 20),
        },
        {
            "workflow": "replay",
            "name": "recover-1",
            "status": "SUCCEEDED",
            "started_at": at(ends - 2),
            "ended_at": at(ends - 18),
        },
        {
            "workflow": "load_batch",
            "name": "load-1",
            "status": "FAILED",
            "started_at": at(begins - 1),
            "ended_at": at(ends + 60),
        },
    ]
    rates = [
        {"at": at(seconds), "accepted": 1_000.0, "applied": 0.0 if ends <= seconds <= begins else 990.0}
        for seconds in range(3_600, 0, -60)
    ]
    outages = [{"from": at(begins), "to": at(ends), "what": "primary unavailable"}]
    return {
        "from": at(3_600),
        "to": at(0),
        "batches": batches,
        "executions": executions,
        "outages": outages,
        "rates": rates,
    }


def item() -> dict[str, Any]:
    def write(version: str, seconds: float, state: str, **members: Any) -> dict[str, Any]:
        return {
            "version": version, "operation": "put", "accepted_at": at(seconds), "batch": KEY, "state": state, "superseded_by": None,
            "reason": None, "request_id": f"request-{seconds}", "data": {"icao": "LPPT", "name": f"Lisbon {seconds}"}, **members,
        }  # fmt: skip

    writes = [
        write(VERSIONS[0], 900, "superseded", superseded_by=VERSIONS[1]),
        write(VERSIONS[1], 600, "applied"),
        write(VERSIONS[2], 10, "rejected", reason="elevation: Out of range value"),
    ]
    return {"item": {"icao": "LPPT", "name": "Lisbon 600"}, "writes": writes, "is_complete": True}


def documents() -> dict[str, Any]:
    """The answer to each GET of the page, by path."""
    hour = timeline()
    execution = hour["executions"][0]
    rejected = {
        "version": VERSIONS[2], "collection": "airports", "id": "LPPT", "owner": "", "reason": "elevation: Out of range value",
        "batch": KEY, "line": 3, "accepted_at": at(10), "write": '{"id": "LPPT"}',
    }  # fmt: skip
    quarantined = {"key": f"quarantine/{KEY}", "bytes": 512, "at": at(700), "reason": "not GZIP"}
    listings = {
        "/api/batches": hour["batches"],
        f"/api/batches/{KEY}": [{**hour["batches"][0], "key": KEY}],
        "/api/rejected-writes": [rejected],
        "/api/quarantine": [quarantined],
        "/api/executions": hour["executions"],
        "/api/executions/recover/scheduled-1": [
            {**execution, "input": {"trigger": "schedule"}, "output": {"outcome": "recovered"}}
        ],
    }
    return {
        "/api/timeline": hour,
        "/api/items/airports/LPPT": item(),
        **{path: {"rows": rows, "is_complete": True} for path, rows in listings.items()},
    }
