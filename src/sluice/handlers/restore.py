"""The steps of `restore` that ask RDS: `{"step", "state"}`, with the state of the execution.

It runs outside the VPC, from which RDS's API cannot be reached. It waits for RDS itself, up to ten minutes: for each
attempt that the workflow has to repeat, Lambda counts an error. For `sluice verify`, `{"step": "check"}` describes the
instances and the backups.
"""

import datetime
import random
import time
from collections.abc import Callable
from typing import Any

import msgspec

from sluice.aws.s3 import S3Client
from sluice.aws.secrets import read_credentials
from sluice.errors import InstanceBusy, extract_message
from sluice.model.workflow_input import format_time
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.restore.instances import get_rds_client
from sluice.restore.restore_plan import Planner, ReplicaNames, parse_plan
from sluice.restore.restore_report import build_report, describe_failure
from sluice.restore.restore_request import RestoreRequest
from sluice.restore.switch_over import SwitchOver
from sluice.settings import RestoreSettings, read_replica_instances, read_settings

# Less than the function's own timeout.
WAIT_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 20.0

_settings = read_settings(RestoreSettings)
_bucket = S3Client().bucket(_settings.batch_bucket)
_replicas = read_replica_instances()


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Run a step. Raises RestoreRefused, InstanceBusy, InstanceFailed, and the errors of RdsClient."""
    add_log_fields(step=event["step"])
    run_step, state = _STEPS[event["step"]], event.get("state", {})
    began, pause = time.monotonic(), 1.0
    while True:
        try:
            return run_step(state)
        except InstanceBusy as busy:
            add_log_fields(waiting_for=str(busy))
            if time.monotonic() - began > WAIT_SECONDS:
                raise
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  jitter
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _plan(state: dict[str, Any]) -> dict[str, Any]:
    request = msgspec.convert(state["request"], RestoreRequest)
    planner = Planner(get_rds_client(), _settings.primary_instance, _replicas)
    plan = planner.plan_restore(request, state["stamp"])
    return dict(msgspec.to_builtins(plan))


def _prepare(state: dict[str, Any]) -> dict[str, Any]:
    return {"instance": _read_steps(state).prepare_primary()}


def _configure(state: dict[str, Any]) -> dict[str, Any]:
    return {"changes": _read_steps(state).configure_primary()}


def _await_primary(state: dict[str, Any]) -> dict[str, Any]:
    return {"instance": _read_steps(state).await_primary()}


def _put_aside(state: dict[str, Any]) -> dict[str, Any]:
    return {"lost": _read_steps(state).put_lost_aside()}


def _take_identifier(state: dict[str, Any]) -> dict[str, Any]:
    return {"host": _read_steps(state).take_identifier()}


def _set_password(state: dict[str, Any]) -> dict[str, Any]:
    is_set = _read_steps(state).set_password(lambda: read_credentials(_settings.admin_secret_arn))
    return {"is_set": is_set}


def _replace_replica(state: dict[str, Any]) -> dict[str, Any]:
    """Replace the replica with the number of the state; none is left when there is no such number."""
    number = state["next"]["number"]
    replicas: list[ReplicaNames] = parse_plan(state["plan"]).replicas
    if number > len(replicas):
        return {"is_done": True, "name": ""}
    _read_steps(state).replace_replica(replicas[number - 1])
    return {"is_done": False, "name": replicas[number - 1].name}


def _delete_old_replicas(state: dict[str, Any]) -> dict[str, Any]:
    return {"deleted": _read_steps(state).delete_old_replicas()}


def _report(state: dict[str, Any]) -> dict[str, Any]:
    plan = parse_plan(state["plan"])
    leftovers = [instance for instance in _read_steps(state).list_leftovers() if instance.status != "deleting"]
    report = build_report(plan, state, leftovers, datetime.datetime.now(datetime.UTC))
    report["report"] = {"bucket": _bucket.name, "key": f"replays/{state['name']}/report.json"}
    _bucket.write_object(report["report"]["key"], msgspec.json.encode(report))
    add_log_fields(status=report["status"], seconds=report["seconds"])
    return report


def _describe_failure(state: dict[str, Any]) -> dict[str, Any]:
    error = state["error"]
    return {"reason": describe_failure(state, extract_message(str(error.get("Cause"))) or str(error["Error"]))}


def _check(_state: dict[str, Any]) -> dict[str, Any]:
    rds, primary = get_rds_client(), _settings.primary_instance
    missing = [name for name in (primary, *_replicas) if rds.look_up_instance(name) is None]
    latest = [backup.latest for backup in rds.describe_backups(primary) if backup.latest]
    snapshots = [snapshot.created for snapshot in rds.describe_snapshots(primary) if snapshot.created]
    return {
        "primary": primary,
        "replicas": list(_replicas),
        "missing": missing,
        "latest": format_time(max(latest)) if latest else None,
        "newest_snapshot": format_time(max(snapshots)) if snapshots else None,
    }


def _read_steps(state: dict[str, Any]) -> SwitchOver:
    return SwitchOver(get_rds_client(), parse_plan(state["plan"]))


_STEPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "plan": _plan,
    "prepare": _prepare,
    "configure": _configure,
    "await_primary": _await_primary,
    "put_aside": _put_aside,
    "take_identifier": _take_identifier,
    "set_password": _set_password,
    "replace_replica": _replace_replica,
    "delete_old_replicas": _delete_old_replicas,
    "report": _report,
    "describe_failure": _describe_failure,
    "check": _check,
}
