"""The first step of `recover`, of `rebuild` and of `restore`, and the alert state of `recover`.

`{"execution", "request"}` acquires the lease of a recovery, and returns who holds it and the input of the replay. With
`"workflow": "rebuild"` or `"restore"` it acquires the lease of that workflow, and returns the workflow's state. A
second one is an error, and so is a restore during a rebuild.

`{"alert"}` asks whether to send an alert: `{"is_new"}`. `{"alert", "sent": true}` records that it was sent.
"""

import datetime
from typing import Any

import msgspec

from sluice.aws.s3 import S3Client
from sluice.errors import RebuildInProgress, RestoreInProgress
from sluice.model.versions import new_version
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.rebuild.rebuild_request import build_exclusions, check_source, parse_rebuild_request
from sluice.recovery.alert_state import is_new_alert, record_alert_sent
from sluice.recovery.execution_lease import (
    REBUILD_LEASE_KEY,
    RESTORE_LEASE_KEY,
    StatesClient,
    acquire_lease,
    find_running_holder,
)
from sluice.recovery.recovery_request import parse_recovery_request
from sluice.restore.restore_request import create_stamp, find_beginning, parse_restore_request
from sluice.settings import LeaseSettings, read_settings

_settings = read_settings(LeaseSettings)
_s3 = S3Client()
_batches, _archive = _s3.bucket(_settings.batch_bucket), _s3.bucket(_settings.archive_bucket)
_states = StatesClient()


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Acquire a lease or handle an alert. Raises the input errors of `sluice.errors`, and LockConflict."""
    now = datetime.datetime.now(datetime.UTC)
    if "alert" in event:
        return _handle_alert(event["alert"], now, sent=bool(event.get("sent")))
    match event.get("workflow"):
        case "rebuild":
            return _begin_rebuild(event, now)
        case "restore":
            return _begin_restore(event, now)
    return _begin_recovery(event, now)


def _handle_alert(alert: str, now: datetime.datetime, *, sent: bool) -> dict[str, Any]:
    if sent:
        record_alert_sent(_batches, alert, now)
    is_new = not sent and is_new_alert(_batches, alert, now)
    add_log_fields(alert=alert, is_new=is_new, sent=sent)
    return {"is_new": is_new}


def _begin_recovery(event: Event, now: datetime.datetime) -> dict[str, Any]:
    request, replay = parse_recovery_request(event["request"], now)
    holder = acquire_lease(_states, _batches, event["execution"])
    acquired = holder == event["execution"]
    add_log_fields(trigger=request.trigger, acquired=acquired)
    return {
        "acquired": acquired,
        "holder": holder,
        "trigger": request.trigger,
        "request": replay,
        "round": {"number": 1},
    }


def _begin_rebuild(event: Event, now: datetime.datetime) -> dict[str, Any]:
    # Imported late: a recovery needs no resources.
    from sluice.model.canary_item import load_served_resources  # noqa: PLC0415

    name = event["execution"].rsplit(":", 1)[-1]
    request = parse_rebuild_request(event["request"], load_served_resources(), now)
    check_source(request.source, {"batches": _batches, "archive": _archive})
    holder = acquire_lease(_states, _batches, event["execution"], REBUILD_LEASE_KEY)
    if holder != event["execution"]:
        raise RebuildInProgress(f"Another rebuild is running: {holder.rsplit(':', 1)[-1]}. Wait for it, or stop it.")
    exclusions = build_exclusions(request, name, now)
    add_log_fields(
        source=request.source,
        as_of=bool(request.as_of),
        exclusions=len(exclusions),
        reset_exclusions=request.reset_exclusions,
    )
    state = {
        "name": name,
        "mark": new_version(),
        "began": now,
        "request": request,
        "exclusions": exclusions,
        "round": {"number": 1},
        "filled": False,
    }
    return dict(msgspec.to_builtins(state))


def _begin_restore(event: Event, now: datetime.datetime) -> dict[str, Any]:
    name = event["execution"].rsplit(":", 1)[-1]
    request = parse_restore_request(event["request"], now)
    if rebuild := find_running_holder(_states, _batches, REBUILD_LEASE_KEY):
        raise RestoreInProgress(f"A rebuild is running: {rebuild.rsplit(':', 1)[-1]}. Wait for it, or stop it.")
    if not request.dry_run:
        holder = acquire_lease(_states, _batches, event["execution"], RESTORE_LEASE_KEY)
        if holder != event["execution"]:
            other = holder.rsplit(":", 1)[-1]
            raise RestoreInProgress(f"Another restore is running: {other}. Wait for it, or stop it.")
    add_log_fields(dry_run=request.dry_run, stamp=request.stamp)
    state = {
        "name": name,
        "stamp": request.stamp or create_stamp(now),
        "began": find_beginning(request, now),
        "execution_began": now,
        "request": request,
        "next": {"number": 1},
    }
    return dict(msgspec.to_builtins(state))
