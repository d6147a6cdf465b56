"""Steps of `replay` that see S3 and the ledger: `{"step", "name", "request"}` or `{"step", "plan"}` in, a plan out."""

import datetime
from typing import Any

import msgspec

from sluice.database import Database
from sluice.observability import Event, note, observed
from sluice.registry import resources
from sluice.replaying.plan import Plan
from sluice.replaying.planner import Buckets, Planner
from sluice.schemas import shadow_of
from sluice.settings import PlanSettings, read

# Of a statement that looks up 500 keys.
STATEMENT_SECONDS = 30
# What is left of the function's time, in seconds, when a step must end.
RESERVE = 60.0

_settings = read(PlanSettings)
_planner = Planner(
    Database(_settings, statement_seconds=STATEMENT_SECONDS),
    Database(
        msgspec.structs.replace(_settings, database_name=shadow_of(_settings.database_name)),
        statement_seconds=STATEMENT_SECONDS,
    ),
    Buckets(_settings.batch_bucket, _settings.archive_bucket),
    _settings.load_concurrency,
)


@observed
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Do the step of an event: begin, plan or verify. Raises the errors of a wrong input, and faults by name."""
    note(step=event["step"])
    if event["step"] == "begin":
        plan = _planner.begin(event["name"], event["request"], resources(), datetime.datetime.now(datetime.UTC))
    else:
        step = {"plan": _planner.plan, "verify": _planner.verify}[event["step"]]
        seconds = float(context.get_remaining_time_in_millis()) / 1000
        plan = step(msgspec.convert(event["plan"], Plan), max(seconds - RESERVE, 0))
    note(replay=plan.name, listed=plan.listed, planned=plan.planned.objects, remaining=plan.remaining.objects)
    return dict(msgspec.to_builtins(plan))
