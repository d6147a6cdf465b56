"""Receipts: the state of one write, from its item's row, the rejected writes and the exclusions."""

from typing import Literal

import msgspec

from sluice.db.connection import Queries
from sluice.db.errors import redact_quoted_data
from sluice.db.moment import MOMENT_COLUMN, SELECT_MOMENT
from sluice.http.request import read_query_parameters
from sluice.http.response import Response
from sluice.model.exclusions import EXCLUSION_COLUMNS, decode_exclusion_rows, is_excluded
from sluice.model.resource import Resource
from sluice.observability import add_log_fields
from sluice.query.read_context import ReadContext, retry_after_seconds, validate_version

WriteStatus = Literal["pending", "applied", "superseded", "rejected"]

EXCLUDED_REASON = "Left out of the tables by the service's operators"


class Receipt(msgspec.Struct, omit_defaults=True):
    """The state of a write. `superseded_by` is the item's current version; `reason` quotes no data."""

    id: str
    version: str
    status: WriteStatus
    superseded_by: str = ""
    reason: str = ""


def respond_with_receipt(context: ReadContext) -> Response:
    """Respond with a receipt. Raises Problem 400 and the errors of `sluice.errors`."""
    read_query_parameters(context.request)
    item_id, version = context.item_id, validate_version(context.request.write_version)
    receipt = select_receipt(context.reads, context.resource, context.owner, item_id, version)
    add_log_fields(version=version, receipt=receipt.status)
    headers = {"Cache-Control": "no-store"}
    if receipt.status == "pending":
        headers["Retry-After"] = str(retry_after_seconds(version, context.settings.buffer_seconds))
    return Response(200, msgspec.json.encode(receipt), headers)


def select_receipt(database: Queries, resource: Resource, owner: str, item_id: str, version: str) -> Receipt:
    """Select the state of a write by its owner, id and version.

    A write of another owner, a write that does not exist and a write that has not arrived are all pending. Raises the
    errors of `sluice.errors`.
    """
    # One statement reads one moment. Between two statements, a load could move the write from one table to the other.
    [row] = database.query(
        f"SELECT ({SELECT_MOMENT}) AS {MOMENT_COLUMN}, "  # noqa: S608
        f"(SELECT version FROM `{resource.collection}` WHERE owner = %s AND id = %s) AS stored, "
        "(SELECT reason FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s) "
        "AS reason, (SELECT version FROM marks WHERE name = 'exclusions') AS excluded_before",
        (owner, item_id, version, resource.collection, owner, item_id),
    )
    stored_version, reason = row["stored"] or "", row["reason"]
    if stored_version == version:
        # A rejected write that was retried and loaded stays in `rejected_writes` for some time.
        return Receipt(item_id, version, "applied")
    if reason is not None:
        return Receipt(item_id, version, "rejected", reason=redact_quoted_data(reason))
    if stored_version > version:
        return Receipt(item_id, version, "superseded", superseded_by=stored_version)
    if version < (row["excluded_before"] or "") and _is_excluded(database, resource, owner, version):
        return Receipt(item_id, version, "rejected", reason=EXCLUDED_REASON)
    return Receipt(item_id, version, "pending")


def _is_excluded(database: Queries, resource: Resource, owner: str, version: str) -> bool:
    """Whether a rebuild excluded the write. The table has one row for each rebuild with exclusions."""
    rows = database.query(f"SELECT {EXCLUSION_COLUMNS}, ({SELECT_MOMENT}) AS {MOMENT_COLUMN} FROM exclusions", ())  # noqa: S608
    return is_excluded(
        decode_exclusion_rows(tuple(row.values())[:-1] for row in rows), version, resource.collection, owner
    )
