"""The first step of `recover`: `{"execution", "request"}` in; who is at work, and the replay's input, out.

And before it sends an alert: `{"about"}` in; out, whether that is news or was told already.
"""

import datetime
from typing import Any

from sluice.observability import Event, note, observed
from sluice.recovering.claim import claim
from sluice.recovering.request import understood
from sluice.recovering.told import is_news
from sluice.settings import ReportSettings, read

_bucket = read(ReportSettings).batch_bucket


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Claim the recovery for an event's execution, or say what is news. Raises InvalidInput, and TryAgain by name."""
    now = datetime.datetime.now(datetime.UTC)
    if "about" in event:
        news = is_news(_bucket, event["about"], now)
        note(about=event["about"], news=news)
        return {"news": news}
    request, replay = understood(event["request"], now)
    holder = claim(_bucket, event["execution"])
    claimed = holder == event["execution"]
    note(trigger=request.trigger, claimed=claimed)
    return {"claimed": claimed, "holder": holder, "trigger": request.trigger, "request": replay, "round": {"number": 1}}
