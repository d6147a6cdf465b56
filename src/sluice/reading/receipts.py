"""What became of a write, from what the replica has of its item and of the rejects."""

from typing import Literal

import msgspec

from sluice.database import Database
from sluice.reasons import without_data
from sluice.resource import Resource

State = Literal["pending", "applied", "superseded", "rejected"]


class Receipt(msgspec.Struct, omit_defaults=True):
    """What the client of a write is told. `superseded_by` is the item's version now, `reason` quotes no data."""

    id: str
    version: str
    status: State
    superseded_by: str = ""
    reason: str = ""


def receipt(database: Database, resource: Resource, owner: str, item_id: str, version: str) -> Receipt:
    """Look a write up among those of its owner.

    Only what has that owner, id and version is looked at: a write of somebody else, one that never was and one that
    is on its way are all pending. Raises the faults of `sluice.faults`.
    """
    # One statement, so that both are seen at one moment: between two, a load could move the write from here to there.
    [found] = database.query(
        f"SELECT (SELECT version FROM `{resource.collection}` WHERE owner = %s AND id = %s) AS stored, "  # noqa: S608
        "(SELECT reason FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s) "
        "AS reason",
        (owner, item_id, version, resource.collection, owner, item_id),
    )
    stored, reason = found["stored"] or "", found["reason"]
    if stored == version:
        # A reject that was retried and loaded stays among the rejects for a while.
        return Receipt(item_id, version, "applied")
    if reason is not None:
        return Receipt(item_id, version, "rejected", reason=without_data(reason))
    if stored > version:
        return Receipt(item_id, version, "superseded", superseded_by=stored)
    return Receipt(item_id, version, "pending")
