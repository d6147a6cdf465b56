"""Migrate the database: as CloudFormation's custom resource at every deployment, or by hand (`{"dry_run": true}`).

The resources and the migration layer are imported late: if one of these imports fails, the handler can still respond.
Without a response CloudFormation waits for an hour.
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
from sluice.schema.cfn_response import CloudFormationResponse, compute_deployment_id
from sluice.schema.ddl_executor import explain_error
from sluice.schema.grants import LOADER_PRIVILEGES, READER_PRIVILEGES, DatabaseUser
from sluice.settings import MigrateSettings, read_settings

if TYPE_CHECKING:
    from sluice.schema.migration import Migration, MigrationResult

# How much of the function's time is left when it stops waiting for the database, and when it sends the response at
# last.
STOP_SECONDS, RESPOND_SECONDS = 45.0, 35.0


@instrument_handler
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Respond to CloudFormation's request, or return the plan or the result to an operator."""
    if "ResponseURL" in event:
        return _handle_request(event, context)
    return _run_by_hand(bool(event.get("dry_run")), _remaining_seconds(context))


def _handle_request(event: Event, context: Any) -> dict[str, Any]:
    response = CloudFormationResponse(event)
    if event["RequestType"] == "Delete":
        # The tables are the data of the service: they stay until somebody drops them by hand.
        response.send("SUCCESS", "The tables are not dropped.")
        return {"status": "SUCCESS"}
    seconds = _remaining_seconds(context)
    delay = max(seconds - _reserve(seconds, RESPOND_SECONDS), 0)
    timer = threading.Timer(delay, _send_timeout, [response])
    timer.daemon = True
    timer.start()
    try:
        return _migrate_and_respond(response, event, seconds)
    finally:
        timer.cancel()


def _migrate_and_respond(response: CloudFormationResponse, event: Event, seconds: float) -> dict[str, Any]:
    try:
        result = _migrate(seconds, event)
    except Exception as error:  # noqa: BLE001  CloudFormation needs a response to any error
        reason = explain_error(error)
        add_log_fields(status="FAILED", reason=reason, **describe_error(error))
        response.send("FAILED", reason)
        return {"status": "FAILED", "reason": reason}
    add_log_fields(status="SUCCESS", done=result.done, notices=result.notices)
    done = "; ".join(result.done) or "nothing to change"
    response.send("SUCCESS", done, Done=done, Notices=" ".join(result.notices))
    return {"status": "SUCCESS", **asdict(result)}


def _send_timeout(response: CloudFormationResponse) -> None:
    response.send(
        "FAILED", "The migration did not end within the function's timeout; the next deployment continues it."
    )


def _run_by_hand(dry_run: bool, seconds: float) -> dict[str, Any]:
    try:
        if dry_run:
            with _open_migration(seconds) as (migration, _):
                return asdict(migration.plan())
        result = _migrate(seconds, {})
    except Exception as error:  # noqa: BLE001  the log gets the details, the operator gets the sentence
        add_log_fields(**describe_error(error))
        raise MigrationFailed(explain_error(error)) from None
    add_log_fields(done=result.done, notices=result.notices)
    return asdict(result)


def _migrate(seconds: float, event: Event) -> "MigrationResult":
    if (cache_key := event.get("ResourceProperties", {}).get("ListParameters")) is not None:
        _check_cache_key(cache_key)
    with _open_migration(seconds) as (migration, settings):
        return migration.run(lambda: _read_users(settings), compute_deployment_id(event) if event else None)


def _check_cache_key(cache_key: list[str]) -> None:
    from sluice.model.resource import load_resources  # noqa: PLC0415
    from sluice.schema.preflight import check_cached_parameters  # noqa: PLC0415

    check_cached_parameters(cache_key, load_resources().values())


def _read_users(settings: MigrateSettings) -> tuple[DatabaseUser, ...]:
    return (
        DatabaseUser("loader", read_credentials(settings.loader_secret_arn), LOADER_PRIVILEGES),
        DatabaseUser("reader", read_credentials(settings.reader_secret_arn), READER_PRIVILEGES),
    )


@contextmanager
def _open_migration(seconds: float) -> Iterator["tuple[Migration, MigrateSettings]"]:
    from sluice.model.resource import load_resources  # noqa: PLC0415
    from sluice.schema.migration import Migration  # noqa: PLC0415

    settings = read_settings(MigrateSettings)
    timeout = seconds - _reserve(seconds, STOP_SECONDS)
    deadline = time.monotonic() + timeout
    # Connected without a schema: the first migration creates it.
    server = Database(
        msgspec.structs.replace(settings, database_name=""), statement_timeout_seconds=max(1, int(timeout))
    )
    with closing(server.get_connection()) as connection:
        yield Migration(connection, settings.database_name, load_resources().values(), deadline), settings


def _remaining_seconds(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1000


def _reserve(seconds: float, wanted: float) -> float:
    """How much of the time to reserve: `wanted`, but at most about a third of a short time."""
    return min(wanted, seconds * wanted / 120)
