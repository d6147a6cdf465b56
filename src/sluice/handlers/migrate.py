"""Migrates the database: as CloudFormation's custom resource at every deploy, or by hand (`{"dry_run": true}`).

The resources and the migration's layer are imported late: where one of them cannot be, that can still be answered.
CloudFormation would otherwise wait for an hour.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from sluice.aws.secrets import read_credentials
from sluice.db.connection import Database
from sluice.errors import MigrationFailed
from sluice.observability import Event, add_log_fields, describe_error, instrument_handler
from sluice.schema.cfn_response import CloudFormationResponse
from sluice.schema.ddl_executor import explain_error
from sluice.schema.deployment_history import compute_deployment_id
from sluice.schema.grants import LOADER_PRIVILEGES, READER_PRIVILEGES, DatabaseUser
from sluice.settings import MigrateSettings, read_settings

if TYPE_CHECKING:
    from sluice.schema.migration import Migration, MigrationResult

# What is left of the function's time, in seconds, when it stops waiting for the database, and when it answers at last.
STOP_SECONDS, RESPOND_SECONDS = 45.0, 35.0


@instrument_handler
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Answer CloudFormation's request, or return the plan or the outcome to whoever invoked the function by hand."""
    if "ResponseURL" in event:
        return _on_request(event, context)
    return _by_hand(bool(event.get("dry_run")), _seconds(context))


def _on_request(event: Event, context: Any) -> dict[str, Any]:
    answer = CloudFormationResponse(event)
    if event["RequestType"] == "Delete":
        # The tables are the service's memory: they stay until somebody removes them by hand.
        answer.send("SUCCESS", "The tables are left as they are.")
        return {"status": "SUCCESS"}
    seconds = _seconds(context)
    watch = threading.Timer(max(seconds - _share(seconds, RESPOND_SECONDS), 0), _too_late, [answer])
    watch.daemon = True
    watch.start()
    try:
        return _answered(answer, event, seconds)
    finally:
        watch.cancel()


def _answered(answer: CloudFormationResponse, event: Event, seconds: float) -> dict[str, Any]:
    try:
        outcome = _migrated(seconds, event)
    except Exception as error:  # noqa: BLE001  whatever it is, CloudFormation must hear of it
        reason = explain_error(error)
        add_log_fields(status="FAILED", reason=reason, **describe_error(error))
        answer.send("FAILED", reason)
        return {"status": "FAILED", "reason": reason}
    add_log_fields(status="SUCCESS", done=outcome.done, notices=outcome.notices)
    done = "; ".join(outcome.done) or "nothing to change"
    answer.send("SUCCESS", done, Done=done, Notices=" ".join(outcome.notices))
    return {"status": "SUCCESS", **asdict(outcome)}


def _too_late(answer: CloudFormationResponse) -> None:
    answer.send(
        "FAILED", "The migration did not end in the time that the function has; the next deploy goes on where it stops."
    )


def _by_hand(dry_run: bool, seconds: float) -> dict[str, Any]:
    try:
        if dry_run:
            with _prepared(seconds) as (migration, _):
                return asdict(migration.plan())
        outcome = _migrated(seconds, {})
    except Exception as error:  # noqa: BLE001  the log has its place, and whoever invoked the sentence
        add_log_fields(**describe_error(error))
        raise MigrationFailed(explain_error(error)) from None
    add_log_fields(done=outcome.done, notices=outcome.notices)
    return asdict(outcome)


def _migrated(seconds: float, event: Event) -> "MigrationResult":
    if (told := event.get("ResourceProperties", {}).get("ListParameters")) is not None:
        _check_lists(told)
    with _prepared(seconds) as (migration, settings):
        return migration.run(lambda: _users(settings), compute_deployment_id(event) if event else None)


def _check_lists(told: list[str]) -> None:
    from sluice.model.resource import load_resources  # noqa: PLC0415
    from sluice.schema.preflight import check_cached_parameters  # noqa: PLC0415

    check_cached_parameters(told, load_resources().values())


def _users(settings: MigrateSettings) -> tuple[DatabaseUser, ...]:
    return (
        DatabaseUser("loader", read_credentials(settings.loader_secret_arn), LOADER_PRIVILEGES),
        DatabaseUser("reader", read_credentials(settings.reader_secret_arn), READER_PRIVILEGES),
    )


@contextmanager
def _prepared(seconds: float) -> Iterator["tuple[Migration, MigrateSettings]"]:
    from sluice.model.resource import load_resources  # noqa: PLC0415
    from sluice.schema.migration import Migration  # noqa: PLC0415

    settings = read_settings(MigrateSettings)
    patience = seconds - _share(seconds, STOP_SECONDS)
    deadline = time.monotonic() + patience
    # Entered without a schema, which the first migration has yet to make.
    server = Database(
        msgspec.structs.replace(settings, database_name=""), statement_timeout_seconds=max(1, int(patience))
    )
    with closing(server.get_connection()) as connection:
        yield Migration(connection, settings.database_name, load_resources().values(), deadline), settings


def _seconds(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1000


def _share(seconds: float, wanted: float) -> float:
    """What to keep of the time: as wanted, but no more than a third or so of a short one."""
    return min(wanted, seconds * wanted / 120)
