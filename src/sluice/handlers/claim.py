"""The first step of `recover`: `{"execution", "request"}` in; who is at work, and the replay's input, out."""

import datetime
from typing import Any

from sluice.observability import Event, note, observed
from sluice.recovering.claim import claim
from sluice.recovering.request import understood
from sluice.settings import ReportSettings, read

_bucket = read(ReportSettings).batch_bucket


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Claim the recovery for the execution of an event. Raises InvalidInput, and TryAgain by name."""
    request, replay = understood(event["request"], datetime.datetime.now(datetime.UTC))
    holder = claim(_bucket, event["execution"])
    claimed = holder == event["execution"]
    note(trigger=request.trigger, claimed=claimed)
    return {"claimed": claimed, "holder": holder, "trigger": request.trigger, "request": replay, "round": {"number": 1}}
