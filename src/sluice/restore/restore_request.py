"""Parse the input of a restore."""

import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sluice.errors import InvalidInput
from sluice.model.workflow_input import check_not_future, convert_input

# RDS's identifiers have letters, digits and hyphens.
_STAMP_FORMAT = "%y%m%d%H%M%S"
Stamp = Annotated[str, Meta(pattern="^[0-9]{12}$")]
Name = Annotated[str, Meta(min_length=1, max_length=255)]


class RestoreRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A restore's input; each field is optional.

    The source is the moment `to`, a `snapshot`, or the replica to `promote`, such as replica-1; without all three it is
    the latest moment that can be restored. `stamp` continues the restore with this stamp, with the same source.
    """

    to: Annotated[datetime.datetime, Meta(tz=True)] | None = None
    snapshot: Name | None = None
    promote: Name | None = None
    stamp: Stamp | None = None
    dry_run: bool = False
    delete_old_replicas: bool = False


def parse_restore_request(value: Any, now: datetime.datetime) -> RestoreRequest:
    """Parse an execution's input. Raises InvalidInput and FutureTime with a sentence."""
    request = convert_input(value, RestoreRequest, "restore")
    try:
        began = find_beginning(request, now)
    except ValueError:
        message = f"{request.stamp} is not the stamp of a restore, which is the time of its beginning."
        raise InvalidInput(message) from None
    if sum(source is not None for source in (request.to, request.snapshot, request.promote)) > 1:
        raise InvalidInput("A restore has one source: choose one of `to`, `snapshot` and `promote`.")
    check_not_future([request.to, began], now)
    return request


def create_stamp(now: datetime.datetime) -> str:
    """Create the stamp of a new restore, which is part of the names of its instances."""
    return now.astimezone(datetime.UTC).strftime(_STAMP_FORMAT)


def find_beginning(request: RestoreRequest, now: datetime.datetime) -> datetime.datetime:
    """Return when the restore began: now, or with the first of the executions that this one continues."""
    if request.stamp is None:
        return now
    return datetime.datetime.strptime(request.stamp, _STAMP_FORMAT).replace(tzinfo=datetime.UTC)
