"""The steps of `prove_backup` that need the databases: `{"step", "state"}` in, the state with the proof out.

`migrate`, `read`, `load` and `compare` in this order. `load` is repeated until `loaded` is true, and `compare` until
the `outcome` is set.
"""

from functools import partial
from typing import Any

import msgspec

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.load.batch_reader import open_batch
from sluice.load.loader import Loader
from sluice.model.canary_item import load_served_resources
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.proof.live_state import Servers
from sluice.proof.proof_state import Proof
from sluice.proof.proof_steps import (
    choose_live,
    compare_next_tables,
    load_next_batches,
    migrate_copy,
    read_live,
)
from sluice.settings import DatabaseSettings, ProveBackupSettings, read_settings

# Less than the function's own timeout: a scan of the largest table has this long.
STATEMENT_TIMEOUT_SECONDS = 840
# A step begins nothing new when less than this is left of the function's time. The load of a batch takes seconds.
RESERVED_SECONDS = 300.0

_settings = read_settings(ProveBackupSettings)
_s3 = S3Client()
_batches = _s3.bucket(_settings.batch_bucket)
_resources = load_served_resources()


@instrument_handler
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Run the step of an event. Raises MigrationFailed, and the database errors of `sluice.errors`."""
    proof = msgspec.convert(event["state"]["proof"], Proof)
    add_log_fields(step=event["step"], proof=proof.name)
    seconds = max(float(context.get_remaining_time_in_millis()) / 1000 - RESERVED_SECONDS, 0)
    copy = _open_copy(proof)
    try:
        proof = _run_step(event["step"], proof, copy, seconds)
    finally:
        copy.drop_connection()
    add_log_fields(outcome=proof.outcome, tail=proof.tail, position=proof.position)
    return {**event["state"], "proof": msgspec.to_builtins(proof)}


def _run_step(step: str, proof: Proof, copy: Database, seconds: float) -> Proof:
    match step:
        case "migrate":
            server = Database(_place_copy(proof, ""), statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
            migrate_copy(server, _settings.database_name, _resources, seconds)
            return proof
        case "load":
            return load_next_batches(proof, Loader(copy, _resources, partial(open_batch, _s3)), _batches, seconds)
        case "read":
            return read_live(proof, _open_servers(copy), _batches, _resources)
        case "compare":
            return compare_next_tables(proof, _open_servers(copy), _batches, _resources, seconds)
    raise ValueError(f"{step!r} is not a step")


def _place_copy(proof: Proof, database_name: str) -> DatabaseSettings:
    return DatabaseSettings(proof.instance.host, proof.instance.port, database_name, _settings.admin_secret_arn)


def _open_copy(proof: Proof) -> Database:
    settings = _place_copy(proof, _settings.database_name)
    return Database(settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS, for_loading=True)


def _open_servers(copy: Database) -> Servers:
    places = _settings.place_live_databases()
    live = tuple(Database(place, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS) for place in places)
    return Servers(choose_live(live), copy)
