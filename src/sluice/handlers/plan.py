"""The steps of `replay` that read S3 and the ledger.

`{"step": "begin", "name", "request"}` creates a plan; `{"step": "plan" | "verify", "plan"}` continues one. The result
is the plan. `{"step": "look_up", "keys": [object key, …]}` is for operators: the result is `{"loaded": [entry, …]}`,
the ledger's entries for up to 500 batches.
"""

import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.errors import InvalidInput
from sluice.model.canary_item import load_served_resources
from sluice.model.schema_names import shadow_schema_name
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.replay.planner import KEYS_PER_QUERY, Buckets, Planner
from sluice.replay.replay_plan import ReplayPlan
from sluice.settings import PlanSettings, read_settings

# For a statement that looks up 500 keys.
STATEMENT_TIMEOUT_SECONDS = 30
# A step ends when less than this is left of the function's time.
RESERVED_SECONDS = 60.0

_settings = read_settings(PlanSettings)
_s3 = S3Client()
_planner = Planner(
    Database(_settings, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS),
    Database(
        msgspec.structs.replace(_settings, database_name=shadow_schema_name(_settings.database_name)),
        statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS,
    ),
    Buckets(_s3.bucket(_settings.batch_bucket), _s3.bucket(_settings.archive_bucket)),
    _settings.load_concurrency,
)


@instrument_handler
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Run the step of an event. Raises the input errors and the database errors of `sluice.errors`."""
    add_log_fields(step=event["step"])
    if event["step"] == "look_up":
        return {"loaded": msgspec.to_builtins(_planner.look_up_batches(_parse_keys(event)))}
    if event["step"] == "begin":
        now = datetime.datetime.now(datetime.UTC)
        plan = _planner.begin_replay(event["name"], event["request"], load_served_resources(), now)
    else:
        run_step = {"plan": _planner.plan_next_part, "verify": _planner.verify_remaining}[event["step"]]
        seconds = float(context.get_remaining_time_in_millis()) / 1000
        plan = run_step(msgspec.convert(event["plan"], ReplayPlan), max(seconds - RESERVED_SECONDS, 0))
    if (missing := plan.count_missing()) is not None:
        add_metric("BatchesMissing", missing)
    add_log_fields(replay=plan.name, listed=plan.listed, planned=plan.planned.objects, remaining=plan.remaining.objects)
    return dict(msgspec.to_builtins(plan))


def _parse_keys(event: Event) -> tuple[str, ...]:
    try:
        return tuple(msgspec.convert(event.get("keys"), Annotated[list[str], Meta(max_length=KEYS_PER_QUERY)]))
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The keys are invalid: {error}. See events/plan/look_up.json.") from None
