"""What became of a write, from what the replica has of its item and of the rejects."""

from typing import Literal

import msgspec

from sluice.db.connection import Database
from sluice.db.errors import redact_quoted_data
from sluice.http.request import read_query_parameters
from sluice.http.response import Response
from sluice.model.exclusions import EXCLUSION_COLUMNS, decode_exclusion_rows, is_excluded
from sluice.model.resource import Resource
from sluice.observability import add_log_fields
from sluice.query.read_context import ReadContext, parse_version, retry_after_seconds

WriteStatus = Literal["pending", "applied", "superseded", "rejected"]


EXCLUDED_REASON = "Left out of the tables by the service's operators"


class Receipt(msgspec.Struct, omit_defaults=True):
    """What the client of a write is told. `superseded_by` is the item's version now, `reason` quotes no data."""

    id: str
    version: str
    status: WriteStatus
    superseded_by: str = ""
    reason: str = ""


def respond_with_receipt(question: ReadContext) -> Response:
    """Answer with a receipt. Raises Problem 400 and the faults of `sluice.db.errors`."""
    read_query_parameters(question.request)
    item_id, version = question.item_id, parse_version(question.request.write_version)
    found = select_receipt(question.database, question.resource, question.owner, item_id, version)
    add_log_fields(version=version, receipt=found.status)
    headers = {"Cache-Control": "no-store"}
    if found.status == "pending":
        headers["Retry-After"] = str(retry_after_seconds(version, question.settings.buffer_seconds))
    return Response(200, msgspec.json.encode(found), headers)


def select_receipt(database: Database, resource: Resource, owner: str, item_id: str, version: str) -> Receipt:
    """Look a write up among those of its owner.

    Only what has that owner, id and version is looked at: a write of somebody else, one that never was and one that
    is on its way are all pending. Raises the faults of `sluice.db.errors`.
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
        return Receipt(item_id, version, "rejected", reason=redact_quoted_data(reason))
    if stored > version:
        return Receipt(item_id, version, "superseded", superseded_by=stored)
    if version < (found["excluded_before"] or "") and _is_excluded(database, resource, owner, version):
        return Receipt(item_id, version, "rejected", reason=EXCLUDED_REASON)
    return Receipt(item_id, version, "pending")


def _is_excluded(database: Database, resource: Resource, owner: str, version: str) -> bool:
    """Whether a rebuild left the write out, for good. There are as many rows as there were such rebuilds."""
    rows = database.query(f"SELECT {EXCLUSION_COLUMNS} FROM exclusions", ())  # noqa: S608
    return is_excluded(decode_exclusion_rows(tuple(row.values()) for row in rows), version, resource.collection, owner)
