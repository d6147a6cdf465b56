"""The first step of `recover` and of `rebuild`: `{"execution", "request"}` in, with `"workflow": "rebuild"` for that.

Out comes what the workflow goes on with: of `recover` who is at work, and the replay's input; of `rebuild` what it was
asked for and what it leaves out. Two rebuilds would be in each other's way, so a second one is an error.

Before `recover` sends an alert: `{"alert"}` in; out, whether that is is_new or was sent already. After it, with
`"sent": true`: then it was.
"""

import datetime
from typing import Any

import msgspec

from sluice.aws.s3 import S3Client
from sluice.errors import RebuildInProgress
from sluice.model.versions import new_version
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.rebuild import rebuild_request as rebuilds
from sluice.rebuild.rebuild_request import check_source
from sluice.recovery import recovery_request as recoveries
from sluice.recovery.alert_state import is_new_alert, record_alert_sent
from sluice.recovery.execution_lease import REBUILD_LEASE_KEY, acquire_lease
from sluice.settings import LeaseSettings, read_settings

_settings = read_settings(LeaseSettings)
_s3 = S3Client()
_batches, _archive = _s3.bucket(_settings.batch_bucket), _s3.bucket(_settings.archive_bucket)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Lease the work for an event's execution, or say what is is_new.

    Raises `sluice.model.workflow_input`' errors, and LockConflict.
    """
    now = datetime.datetime.now(datetime.UTC)
    if "alert" in event:
        return _tell(event["alert"], now, sent=bool(event.get("sent")))
    return _rebuild(event, now) if event.get("workflow") == "rebuild" else _recovery(event, now)


def _tell(alert: str, now: datetime.datetime, *, sent: bool) -> dict[str, Any]:
    if sent:
        record_alert_sent(_batches, alert, now)
    is_new = not sent and is_new_alert(_batches, alert, now)
    add_log_fields(alert=alert, is_new=is_new, sent=sent)
    return {"is_new": is_new}


def _recovery(event: Event, now: datetime.datetime) -> dict[str, Any]:
    request, replay = recoveries.parse_recovery_request(event["request"], now)
    holder = acquire_lease(_batches, event["execution"])
    acquired = holder == event["execution"]
    add_log_fields(trigger=request.trigger, acquired=acquired)
    return {
        "acquired": acquired,
        "holder": holder,
        "trigger": request.trigger,
        "request": replay,
        "round": {"number": 1},
    }


def _rebuild(event: Event, now: datetime.datetime) -> dict[str, Any]:
    # Late: a recovery needs no resources.
    from sluice.model.resource import load_resources  # noqa: PLC0415

    name = event["execution"].rsplit(":", 1)[-1]
    request = rebuilds.parse_rebuild_request(event["request"], load_resources(), now)
    check_source(request.source, {"batches": _batches, "archive": _archive})
    holder = acquire_lease(_batches, event["execution"], REBUILD_LEASE_KEY)
    if holder != event["execution"]:
        raise RebuildInProgress(f"Another rebuild is at work: {holder.rsplit(':', 1)[-1]}. Wait for it, or stop it.")
    exclusions = rebuilds.build_exclusions(request, name, now)
    add_log_fields(
        source=request.source,
        as_of=bool(request.as_of),
        exclusions=len(exclusions),
        reset_exclusions=request.reset_exclusions,
    )
    found = {
        "name": name,
        "mark": new_version(),
        "began": now,
        "request": request,
        "exclusions": exclusions,
        "round": {"number": 1},
        "filled": False,
    }
    return dict(msgspec.to_builtins(found))
