"""The steps of `replay` that read and write its folder: `{"step", "plan"}` in; a plan, or the replay's output, out."""

import time
from typing import Any

import msgspec

from sluice.observability import Event, count, note, observed
from sluice.replaying.plan import Plan
from sluice.replaying.results import report, tally
from sluice.settings import ReportSettings, read

_bucket = read(ReportSettings).batch_bucket


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Do the step of an event: tally the part at hand, or report."""
    plan = msgspec.convert(event["plan"], Plan)
    note(step=event["step"], replay=plan.name)
    if event["step"] == "tally":
        return dict(msgspec.to_builtins(tally(plan, _bucket)))
    output = report(plan, _bucket, time.time())
    note(status=output["status"], planned=output["planned"], loaded=output["loaded"], remaining=output["remaining"])
    count("BatchesReplayed", output["loaded"])
    return output
