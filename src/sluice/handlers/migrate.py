"""Migrate the database: as CloudFormation's custom resource at every deployment, or by hand.

By hand, the input is `{}`, `{"dry_run": true}` or, to do what a rollback left undone, `{"deployment": ID}`. Each takes
`"long_changes": "run"` too, which allows changes that make loads wait for longer than the function runs. After a
restore, `{"new_epoch": true}` also deletes the epoch of the read cache, because its entries can be of later states.

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
from sluice.errors import AwsError, DatabaseUnavailable, MigrationFailed
from sluice.observability import Event, add_log_fields, add_metric, describe_error, instrument_handler
from sluice.schema.custom_resource import CloudFormationResponse, Deployment, read_deployment
from sluice.schema.ddl_executor import explain_error
from sluice.schema.grants import LOADER_PRIVILEGES, READER_PRIVILEGES, DatabaseUser
from sluice.settings import MigrateSettings, read_settings

if TYPE_CHECKING:
    from sluice.schema.migration import Migration

# How much of the function's time is left when it stops waiting for the database, and when it sends the response at
# last.
STOP_SECONDS, RESPOND_SECONDS = 45.0, 35.0
TIMEOUT_REASON = "The migration did not end within the function's timeout; the next deployment continues it."


@instrument_handler
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Respond to CloudFormation's request, or return the plan or the result to an operator."""
    if "ResponseURL" in event:
        return _handle_request(event, context)
    return _run_by_hand(event, _remaining_seconds(context))


def _handle_request(event: Event, context: Any) -> dict[str, Any]:
    response = CloudFormationResponse(event)
    if event["RequestType"] == "Delete":
        # The tables are the data of the service: they stay until somebody drops them by hand. A create that fails and
        # a physical id that changes end here too, so this needs no database.
        response.send("SUCCESS", "The tables are not dropped.")
        return {"status": "SUCCESS"}
    deployment = read_deployment(event)
    seconds = _remaining_seconds(context)
    delay = max(seconds - _reserve(seconds, RESPOND_SECONDS), 0)
    timer = threading.Timer(delay, _respond_to_failure, [response, deployment, TIMEOUT_REASON])
    timer.daemon = True
    timer.start()
    try:
        return _migrate_and_respond(response, event, deployment, seconds)
    finally:
        timer.cancel()


def _migrate_and_respond(
    response: CloudFormationResponse, event: Event, deployment: Deployment, seconds: float
) -> dict[str, Any]:
    try:
        properties = event["ResourceProperties"]
        if not deployment.is_rollback:
            _check_api_definition(properties.get("ApiDigests") or {})
        allow_long = properties.get("LongChanges") == "run"
        with _open_migration(seconds, allow_long=allow_long) as (migration, settings):
            result = migration.run(lambda: _read_users(settings), deployment.id, is_rollback=deployment.is_rollback)
    except Exception as error:  # noqa: BLE001  CloudFormation needs a response to any error
        add_log_fields(**describe_error(error))
        reason = explain_error(error)
        # An unreadable secret looks like an unavailable database, which is no help to whoever deploys.
        is_unavailable = isinstance(error, DatabaseUnavailable) and not isinstance(error.__cause__, AwsError)
        if is_unavailable and not deployment.is_rollback:
            reason += " Deploy again when the database is available."
        return _respond_to_failure(response, deployment, reason)
    add_log_fields(status="SUCCESS", done=result.done, notices=result.notices)
    done = "; ".join(result.done) or "nothing to change"
    response.send(
        "SUCCESS",
        done,
        physical_id=deployment.build_physical_id(event["LogicalResourceId"]),
        Done=done,
        Notices=" ".join(result.notices),
        Undone="",
    )
    return {"status": "SUCCESS", **asdict(result)}


def _respond_to_failure(response: CloudFormationResponse, deployment: Deployment, reason: str) -> dict[str, Any]:
    """Fail a new deployment, which CloudFormation rolls back. A rollback that failed would leave the stack stuck."""
    if not deployment.is_rollback:
        add_log_fields(status="FAILED", reason=reason)
        response.send("FAILED", reason)
        return {"status": "FAILED", "reason": reason}
    undone = (
        f"The stack rolled back without a migration. {reason} The next deploy migrates; to migrate earlier, invoke "
        f'this function with {{"deployment": "{deployment.id}"}}.'
    )
    if response.send("SUCCESS", undone, Done="", Notices="", Undone=undone):
        add_metric("MigrationsUndone")
        add_log_fields(status="SUCCESS", undone=undone)
    return {"status": "SUCCESS", "undone": undone}


def _run_by_hand(event: Event, seconds: float) -> dict[str, Any]:
    try:
        with _open_migration(seconds, allow_long=event.get("long_changes") == "run") as (migration, settings):
            if event.get("dry_run"):
                return asdict(migration.plan())
            result = migration.run(lambda: _read_users(settings), event.get("deployment"))
            if event.get("new_epoch"):
                migration.delete_cache_epoch()
    except Exception as error:  # noqa: BLE001  the log gets the details, the operator gets the sentence
        add_log_fields(**describe_error(error))
        raise MigrationFailed(explain_error(error)) from None
    add_log_fields(done=result.done, notices=result.notices)
    return asdict(result)


def _check_api_definition(digests: dict[str, str]) -> None:
    """Check the digests that the template includes: one for each collection of the API's definition."""
    from sluice.model.canary_item import load_served_resources  # noqa: PLC0415
    from sluice.schema.preflight import check_api_definition  # noqa: PLC0415

    check_api_definition(digests, load_served_resources().values())


def _read_users(settings: MigrateSettings) -> tuple[DatabaseUser, ...]:
    return (
        DatabaseUser("loader", read_credentials(settings.loader_secret_arn), LOADER_PRIVILEGES),
        DatabaseUser("reader", read_credentials(settings.reader_secret_arn), READER_PRIVILEGES),
    )


@contextmanager
def _open_migration(seconds: float, *, allow_long: bool) -> Iterator["tuple[Migration, MigrateSettings]"]:
    from sluice.model.canary_item import load_served_resources  # noqa: PLC0415
    from sluice.schema.migration import Migration  # noqa: PLC0415

    settings = read_settings(MigrateSettings)
    timeout = seconds - _reserve(seconds, STOP_SECONDS)
    deadline = time.monotonic() + timeout
    # Connected without a schema: the first migration creates it.
    server = Database(
        msgspec.structs.replace(settings, database_name=""), statement_timeout_seconds=max(1, int(timeout))
    )
    with closing(server.get_connection()) as connection:
        resources = load_served_resources().values()
        yield Migration(connection, settings.database_name, resources, deadline, allow_long=allow_long), settings


def _remaining_seconds(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1000


def _reserve(seconds: float, wanted: float) -> float:
    """How much of the time to reserve: `wanted`, but at most about a third of a short time."""
    return min(wanted, seconds * wanted / 120)
