"""The steps of `prove_backup` that need RDS's API, which cannot be reached from within the VPC: `{"step", "state"}`.

`begin` acquires the lease, deletes what an earlier proof left, and restores the newest snapshot; `check` says whether
the instance is available; both return the state. `set_password` gives its admin the present password, `delete` deletes
it, `report` writes the report and returns it.

`{"step": "age"}`, several times a day, measures how long ago a backup was proven.
"""

import datetime
from collections.abc import Callable
from typing import Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from sluice.aws.s3 import S3Client
from sluice.aws.secrets import read_credentials
from sluice.errors import InvalidInput, ProofInProgress
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.proof import copy_instance
from sluice.proof.proof_record import read_record, write_record
from sluice.proof.proof_report import build_proof_report
from sluice.proof.proof_state import PROOF_FOLDER, RUN_FOLDER, CopyInstance, Proof
from sluice.recovery.execution_lease import StatesClient, acquire_lease
from sluice.restore.instances import get_rds_client
from sluice.settings import ProofInstanceSettings, read_settings

LEASE_KEY = f"{PROOF_FOLDER}lease.json"

_settings = read_settings(ProofInstanceSettings)
_bucket = S3Client().bucket(_settings.batch_bucket)
_states = StatesClient()


class _State(msgspec.Struct, kw_only=True, frozen=True):
    """The workflow's state. `error` is the error that ended the proof, `not_deleted` that of the deletion."""

    name: str
    execution: str
    began: datetime.datetime
    proof: Proof | None = None
    error: dict[str, str] | None = None
    not_deleted: dict[str, str] | None = None

    @property
    def identifier(self) -> str:
        return copy_instance.name_instance(_settings.primary_instance, self.execution, self.began)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Run the step of an event. Raises the errors of `sluice.restore.instances`, and ProofInProgress."""
    step = event.get("step", "")
    add_log_fields(step=step)
    if step == "age":
        return _measure_age()
    if step not in _STEPS:
        raise InvalidInput(f"There is no step {step!r}. See events/proof_instance/ for examples.")
    state = msgspec.convert(event["state"], _State, strict=False)
    add_log_fields(proof=state.name)
    changes = _STEPS[step](state)
    return {**event["state"], **changes} if step in _STATE_STEPS else changes


def _begin(state: _State) -> dict[str, Any]:
    holder = acquire_lease(_states, _bucket, state.execution, LEASE_KEY)
    if holder != state.execution:
        raise ProofInProgress(f"Another proof is running: {holder.rsplit(':', 1)[-1]}. Wait for it.")
    rds = get_rds_client()
    primary = rds.describe_instance(_settings.primary_instance)
    snapshot = copy_instance.choose_snapshot(rds, primary)
    record = read_record(_bucket, _now())
    others = [identifier for identifier in record.instances if identifier != state.identifier]
    # Recorded before it exists, so that the next proof deletes it even if this execution is lost.
    record.instances = [*copy_instance.delete_leftovers(rds, others), state.identifier]
    write_record(_bucket, record)
    copy_instance.restore_copy(rds, primary, snapshot, state.identifier)
    proof = Proof(
        name=state.name,
        started_at=state.began,
        snapshot=copy_instance.describe_backup(snapshot),
        instance=CopyInstance(state.identifier, "", 0),
    )
    add_log_fields(snapshot=snapshot.identifier, instance=state.identifier)
    return {"proof": msgspec.to_builtins(proof)}


def _check(state: _State) -> dict[str, Any]:
    instance = copy_instance.describe_copy(get_rds_client(), state.identifier)
    proof = _require_proof(state)
    if instance:
        proof.instance = instance
    return {"available": instance is not None, "proof": msgspec.to_builtins(proof)}


def _set_password(state: _State) -> dict[str, Any]:
    rds = get_rds_client()
    is_set = rds.set_admin_password(
        rds.describe_instance(state.identifier), read_credentials(_settings.admin_secret_arn)
    )
    add_log_fields(is_set=is_set)
    return {"is_set": is_set}


def _delete(state: _State) -> dict[str, Any]:
    deleted = copy_instance.delete_copy(get_rds_client(), state.identifier)
    add_log_fields(deleted=deleted)
    return {"deleted": deleted}


def _report(state: _State) -> dict[str, Any]:
    now = _now()
    report = build_proof_report(state.name, state.proof, state.error, state.began, now)
    if state.not_deleted:
        report["summary"] += f" The instance {state.identifier} was not deleted: delete it in RDS, because it costs."
    report["report"] = {"bucket": _bucket.name, "key": f"{RUN_FOLDER}{state.name}/report.json"}
    _bucket.write_object(report["report"]["key"], msgspec.json.encode(report))
    record = read_record(_bucket, now)
    if report["outcome"] == "proven":
        record.proven_at = now
    record.last = {name: report[name] for name in ("name", "outcome", "ended", "summary", "report")}
    write_record(_bucket, record)
    add_log_fields(outcome=report["outcome"])
    return {name: value for name, value in report.items() if name not in ("examples", "tables")}


def _measure_age() -> dict[str, Any]:
    record = read_record(_bucket, _now())
    seconds = record.compute_age(_now())
    add_metric("BackupProofAge", seconds, MetricUnit.Seconds)
    return {"seconds": seconds, "last": record.last}


def _require_proof(state: _State) -> Proof:
    if state.proof is None:
        raise InvalidInput("The state has no proof: run the step begin first.")
    return state.proof


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


# They return the whole state, so that the workflow needs no step to put a result into it.
_STATE_STEPS = frozenset({"begin", "check"})
_STEPS: dict[str, Callable[[_State], dict[str, Any]]] = {
    "begin": _begin,
    "check": _check,
    "set_password": _set_password,
    "delete": _delete,
    "report": _report,
}
