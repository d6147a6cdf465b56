"""The expected rows of a plan: its writes applied one by one, in the order of their versions."""

import datetime
import enum
import uuid
from collections.abc import Iterable
from typing import Any

import msgspec

from tests.database.plans import Plan, PlannedWrite
from tests.database.things import CODES, Thing

Row = dict[str, Any]
Reject = tuple[str, str, str, str]  # version, collection, owner, id
THING_FIELDS = [field.name for field in msgspec.structs.fields(Thing)]
JSON_COLUMNS = {"tags", "attributes", "part"}


def rows(plan: Plan, collection: str) -> list[Row]:
    """The rows of a collection's table, all columns, tombstones too."""
    selected: dict[tuple[str, str, str], Row] = {}
    for planned in sorted(plan.writes, key=lambda planned_write: planned_write.write.version):
        if planned.flaw == "none" and planned.write.collection == collection:
            selected[planned.item] = _row(planned)
    return list(selected.values())


def flawed(plan: Plan) -> set[Reject]:
    """The writes that cannot be loaded."""
    return {_reject(planned) for planned in plan.writes if planned.flaw != "none"}


def rejects(plan: Plan) -> set[Reject]:
    """The writes that are stored as rejected. A value is not checked if a later write of its batch replaces it."""
    selected = set()
    for lines in plan.batches.values():
        batch = [plan.writes[line] for line in lines]
        for planned in batch:
            if planned.flaw == "shape" or (planned.flaw == "value" and not _superseded(planned, batch)):
                selected.add(_reject(planned))
    return selected


def _reject(planned: PlannedWrite) -> Reject:
    return planned.write.version, *planned.item


def _superseded(planned: PlannedWrite, batch: Iterable[PlannedWrite]) -> bool:
    return any(
        other.item == planned.item and other.flaw == "none" and other.write.version > planned.write.version
        for other in batch
    )


def _row(planned: PlannedWrite) -> Row:
    write = planned.write
    row: Row = {
        "owner": write.owner,
        "id": write.id,
        "version": write.version,
        "written_at": _stored(write.accepted_at),
        "deleted": int(planned.values is None),
    }
    if write.collection == CODES.collection:
        return row | {"text": planned.values["text"] if planned.values else None}
    item = Thing(**planned.values) if planned.values else None
    return row | {name: _stored(getattr(item, name)) if item else None for name in THING_FIELDS}


def _stored(value: Any) -> Any:
    """A value as the driver returns it. JSON columns are compared after parsing."""
    match value:
        case enum.Enum():
            return value.value
        case datetime.datetime():
            return value.astimezone(datetime.UTC).replace(tzinfo=None)
        case uuid.UUID():
            return str(value)
    return value
