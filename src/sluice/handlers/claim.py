"""The first step of `recover` and of `rebuild`: `{"execution", "request"}` in, with `"workflow": "rebuild"` for that.

Out comes what the workflow goes on with: of `recover` who is at work, and the replay's input; of `rebuild` what it was
asked for and what it leaves out. Two rebuilds would be in each other's way, so a second one is an error.

Before `recover` sends an alert: `{"about"}` in; out, whether that is news or was told already. After it, with
`"told": true`: then it was.
"""

import datetime
from typing import Any

import msgspec

from sluice.inputs import AlreadyRebuilding
from sluice.observability import Event, note, observed
from sluice.rebuilding import request as rebuilds
from sluice.rebuilding.sources import check
from sluice.recovering import request as recoveries
from sluice.recovering.claim import REBUILD, claim
from sluice.recovering.told import is_news, was_told
from sluice.settings import ClaimSettings, read
from sluice.versions import new_version

_settings = read(ClaimSettings)


@observed
def handle(event: Event, _context: Any) -> dict[str, Any]:
    """Claim the work for an event's execution, or say what is news. Raises `sluice.inputs`' errors, and TryAgain."""
    now = datetime.datetime.now(datetime.UTC)
    if "about" in event:
        return _tell(event["about"], now, told=bool(event.get("told")))
    return _rebuild(event, now) if event.get("workflow") == "rebuild" else _recovery(event, now)


def _tell(about: str, now: datetime.datetime, *, told: bool) -> dict[str, Any]:
    if told:
        was_told(_settings.batch_bucket, about, now)
    news = not told and is_news(_settings.batch_bucket, about, now)
    note(about=about, news=news, told=told)
    return {"news": news}


def _recovery(event: Event, now: datetime.datetime) -> dict[str, Any]:
    request, replay = recoveries.understood(event["request"], now)
    holder = claim(_settings.batch_bucket, event["execution"])
    claimed = holder == event["execution"]
    note(trigger=request.trigger, claimed=claimed)
    return {"claimed": claimed, "holder": holder, "trigger": request.trigger, "request": replay, "round": {"number": 1}}


def _rebuild(event: Event, now: datetime.datetime) -> dict[str, Any]:
    # Late: a recovery needs no resources.
    from sluice.registry import resources  # noqa: PLC0415

    name = event["execution"].rsplit(":", 1)[-1]
    request = rebuilds.understood(event["request"], resources(), now)
    check(request.source, {"batches": _settings.batch_bucket, "archive": _settings.archive_bucket})
    holder = claim(_settings.batch_bucket, event["execution"], REBUILD)
    if holder != event["execution"]:
        raise AlreadyRebuilding(f"Another rebuild is at work: {holder.rsplit(':', 1)[-1]}. Wait for it, or stop it.")
    exclusions = rebuilds.exclusions(request, name, now)
    note(source=request.source, as_of=bool(request.as_of), exclusions=len(exclusions), afresh=request.afresh)
    found = {
        "name": name,
        "mark": new_version(),
        "began": now,
        "request": request,
        "exclusions": exclusions,
        "round": {"number": 1},
        "filled": False,
    }
    return dict(msgspec.to_builtins(found))
