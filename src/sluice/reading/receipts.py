"""What became of a write, from what the replica has of its item and of the rejects."""

from typing import Literal

import msgspec

from sluice.api.parameters import parameters
from sluice.api.responses import Response
from sluice.database import Database
from sluice.exclusions import COLUMNS, excludes, of_rows
from sluice.observability import note
from sluice.reading.arrival import retry_after
from sluice.reading.question import Question, version_of
from sluice.reasons import without_data
from sluice.resource import Resource

State = Literal["pending", "applied", "superseded", "rejected"]


EXCLUDED = "Left out of the tables by the service's operators"


class Receipt(msgspec.Struct, omit_defaults=True):
    """What the client of a write is told. `superseded_by` is the item's version now, `reason` quotes no data."""

    id: str
    version: str
    status: State
    superseded_by: str = ""
    reason: str = ""


def answer_receipt(question: Question) -> Response:
    """Answer with a receipt. Raises Problem 400 and the faults of `sluice.faults`."""
    parameters(question.request)
    item_id, version = question.item_id, version_of(question.request.write_version)
    found = receipt(question.database, question.resource, question.owner, item_id, version)
    note(version=version, receipt=found.status)
    headers = {"Cache-Control": "no-store"}
    if found.status == "pending":
        headers["Retry-After"] = str(retry_after(version, question.settings.buffer_seconds))
    return Response(200, msgspec.json.encode(found), headers)


def receipt(database: Database, resource: Resource, owner: str, item_id: str, version: str) -> Receipt:
    """Look a write up among those of its owner.

    Only what has that owner, id and version is looked at: a write of somebody else, one that never was and one that
    is on its way are all pending. Raises the faults of `sluice.faults`.
    """
    # One statement, so that all is seen at one moment: between two, a load could move the write from here to there.
    [found] = database.query(
        f"SELECT (SELECT version FROM `{resource.collection}` WHERE owner = %s AND id = %s) AS stored, "  # noqa: S608
        "(SELECT reason FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s) "
        "AS reason, (SELECT version FROM marks WHERE name = 'exclusions') AS excluded_before",
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
    if version < (found["excluded_before"] or "") and _excluded(database, resource, owner, version):
        return Receipt(item_id, version, "rejected", reason=EXCLUDED)
    return Receipt(item_id, version, "pending")


def _excluded(database: Database, resource: Resource, owner: str, version: str) -> bool:
    """Whether a rebuild left the write out, for good. There are as many rows as there were such rebuilds."""
    rows = database.query(f"SELECT {COLUMNS} FROM exclusions", ())  # noqa: S608
    return excludes(of_rows(tuple(row.values()) for row in rows), version, resource.collection, owner)
