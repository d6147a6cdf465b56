"""The steps of `replay` that read and write its folder: `{"step", "plan"}` in; a plan, or the replay's output, out."""

import time
from typing import Any

import msgspec

from sluice.aws.s3 import S3Client
from sluice.observability import Event, add_log_fields, add_metric, instrument_handler
from sluice.replay.replay_plan import ReplayPlan
from sluice.replay.replay_report import tally_results, write_replay_report
from sluice.settings import ReportSettings, read_settings

_bucket = S3Client().bucket(read_settings(ReportSettings).batch_bucket)


@instrument_handler
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Do the step of an event: tally the part at hand, or report."""
    plan = msgspec.convert(event["plan"], ReplayPlan)
    add_log_fields(step=event["step"], replay=plan.name)
    if event["step"] == "tally":
        return dict(msgspec.to_builtins(tally_results(plan, _bucket)))
    output = write_replay_report(plan, _bucket, time.time())
    add_log_fields(
        status=output["status"], planned=output["planned"], loaded=output["loaded"], remaining=output["remaining"]
    )
    add_metric("BatchesReplayed", output["loaded"])
    return output
