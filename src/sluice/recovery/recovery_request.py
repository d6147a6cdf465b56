"""Parse the input of a recovery, and derive the input of its replay."""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.model.workflow_input import convert_input, format_time


class RecoveryRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A recovery's input; each field may be left out.

    `trigger` says who started it. It looks back to `from`, or by `days` (neither: to the beginning) and leaves objects
    younger than `min_age` seconds to load_batch.
    """

    trigger: Literal["operator", "schedule", "event", "alarm"] = "operator"
    from_: Annotated[datetime.datetime, Meta(tz=True)] | None = msgspec.field(default=None, name="from")
    days: Annotated[int, Meta(ge=1, le=18_250)] | None = None
    min_age: Annotated[int, Meta(ge=0)] = 0


def parse_recovery_request(given: Any, now: datetime.datetime) -> tuple[RecoveryRequest, dict[str, Any]]:
    """The request that an execution's input makes, and the input of its replay. Raises InvalidInput with a sentence."""
    request = convert_input(given, RecoveryRequest, "recover")
    begins = request.from_ or (now - datetime.timedelta(days=request.days) if request.days else None)
    return request, {"from": format_time(begins) if begins else None, "min_age": request.min_age}
