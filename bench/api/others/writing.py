"""A write: its version, its record, and the put on the stream."""

import datetime
import json
import os
import uuid
from typing import Any

import botocore.session
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from ulid import ULID

from bench.api.others.observability import log_fields, metrics
from bench.api.others.problems import ProblemError

_NAMESPACE = uuid.UUID("3f1d8c52-8f0e-5a3b-9d58-6a6f5f0d6c11")
MAX_RECORD_BYTES = 1_024_000
CONDITIONAL_HEADERS = ("if-match", "if-none-match", "if-unmodified-since")

config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})
client: Any = botocore.session.get_session().create_client("firehose", config=config)


def put_record(stream: str, record: bytes) -> None:
    """Put a record on the stream."""
    client.put_record(DeliveryStreamName=stream, Record={"Data": record})


def get_caller(event: dict[str, Any], group: str | None = None) -> str:
    """The subject of the token, which must be in the group. Raises ProblemError for a conditional write, too."""
    claims = event["requestContext"]["authorizer"]["claims"]
    groups = {*str(claims.get("cognito:groups", "")).split(","), *str(claims.get("scope", "")).split()}
    if group and not groups & {group, f"sluice/{group}"}:
        raise ProblemError(403, f"Only the group {group} may write.")
    headers = {name.lower() for name in event["headers"]}
    if any(name in headers for name in CONDITIONAL_HEADERS):
        raise ProblemError(400, "A write cannot have a condition.")
    return str(claims["sub"])


def create_item_id(event: dict[str, Any], owner: str, collection: str) -> str:
    """The id of a new item, derived from the Idempotency-Key if there is one."""
    key = next((value for name, value in event["headers"].items() if name.lower() == "idempotency-key"), "")
    return str(uuid.uuid5(_NAMESPACE, f"{owner}\n{collection}\n{key}")) if key else str(ULID().to_uuid7(compliant=True))


def accept_write(
    collection: str, item_id: str, owner: str, data: str | None, base: str = ""
) -> tuple[str, dict[str, str]]:
    """Put a write on the stream and return the receipt with its headers. `data` is JSON, None for a delete."""
    version = str(ULID())
    start = json.dumps(
        {
            "version": version,
            "collection": collection,
            "id": item_id,
            "operation": "put" if data else "delete",
            "owner": owner,
            "accepted_at": datetime.datetime.now(datetime.UTC).isoformat(),
            "schema": 1,
        }
    )
    record = f'{start[:-1]}, "data": {data or "null"}}}\n'.encode()
    if len(record) > MAX_RECORD_BYTES:
        raise ProblemError(413, "The record is too large.")
    log_fields.update(collection=collection, version=version)
    try:
        put_record(os.environ["STREAM_NAME"], record)
    except (ClientError, BotoCoreError):
        metrics.add_metric(name="WritesRefused", unit=MetricUnit.Count, value=1)
        raise ProblemError(503, "The write was not accepted. Retry it.") from None
    metrics.add_metric(name="WritesAccepted", unit=MetricUnit.Count, value=1)
    receipt = f"{base}{item_id}/writes/{version}"
    headers = {
        "Location": f"{base}{item_id}",
        "Link": f'<{receipt}>; rel="status"',
        "Retry-After": os.environ["BUFFER_SECONDS"],
        "Cache-Control": "no-store",
    }
    return json.dumps({"id": item_id, "version": version, "status": "pending", "receipt": receipt}), headers
