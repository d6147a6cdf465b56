"""Parse the input of a recovery, and derive the input of its replay."""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sluice.model.workflow_input import convert_input, format_time, strip_starter


class RecoveryRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A recovery's input; each field is optional.

    `trigger` names the starter. The recovery looks for batches since `from`, or of the last `days` (without both: of
    all time), and leaves objects younger than `min_age` seconds to load_batch.
    """

    trigger: Literal["operator", "schedule", "event", "alarm"] = "operator"
    from_: Annotated[datetime.datetime, Meta(tz=True)] | None = msgspec.field(default=None, name="from")
    days: Annotated[int, Meta(ge=1, le=18_250)] | None = None
    min_age: Annotated[int, Meta(ge=0)] = 0


def parse_recovery_request(value: Any, now: datetime.datetime) -> tuple[RecoveryRequest, dict[str, Any]]:
    """Parse an execution's input into the request and the input of its replay. Raises InvalidInput with a sentence."""
    request = convert_input(strip_starter(value), RecoveryRequest, "recover")
    begin = request.from_ or (now - datetime.timedelta(days=request.days) if request.days else None)
    return request, {"from": format_time(begin) if begin else None, "min_age": request.min_age}
