"""Reads of the replica, and their responses as JSON. The rows are not validated again."""

import base64
import datetime
import hashlib
import json
import os
from email.utils import format_datetime
from typing import Any

import botocore.session
import pymysql
from botocore.config import Config
from pydantic_core import to_json
from pymysql.cursors import DictCursor

from bench.api.others.observability import log_fields
from bench.api.others.problems import ProblemError

FIELDS = ("name", "country", "lat", "lon", "elevation", "tz", "iata", "city", "subd", "lid")
COLUMNS = ", ".join(f"`{name}`" for name in ("id", "version", "written_at", *FIELDS))
CACHE_HEADERS = {"Cache-Control": "public, no-cache"}


config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


client: Any = botocore.session.get_session().create_client("secretsmanager", config=config)


_connections: list[Any] = []


Response = tuple[int, bytes, dict[str, str]]


def run_query(statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Read rows over the warm connection."""
    if not _connections:
        host, port = os.environ["READ_ENDPOINTS"].split(",")[0].split(":")
        secret = json.loads(client.get_secret_value(SecretId=os.environ["DATABASE_SECRET_ARN"])["SecretString"])
        _connections.append(
            pymysql.connect(
                host=host,
                port=int(port),
                database=os.environ["DATABASE_NAME"],
                user=secret["username"],
                password=secret["password"],
                charset="utf8mb4",
                autocommit=True,
            )
        )
    with _connections[0].cursor(DictCursor) as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def build_item(row: dict[str, Any]) -> dict[str, Any]:
    """An item as a GET returns it."""
    return {
        "id": row["id"],
        "version": row["version"],
        "written_at": row["written_at"].replace(tzinfo=datetime.UTC),
        "data": {"icao": row["id"], **{name: row[name] for name in FIELDS}},
    }


def get_item(item_id: str, if_none_match: str) -> Response:
    """Respond with an item."""
    rows = run_query(f"SELECT {COLUMNS} FROM `airports` WHERE owner = %s AND NOT deleted AND id = %s", ("", item_id))
    if not rows:
        raise ProblemError(404, "There is no such item.")
    item = build_item(rows[0])
    log_fields.update(collection="airports", version=item["version"])
    last_modified = format_datetime(item["written_at"], usegmt=True)
    return _build_response(
        to_json(item), if_none_match, {"ETag": f'"{item["version"]}"', "Last-Modified": last_modified}
    )


def list_items(limit: int, if_none_match: str) -> Response:
    """Respond with the first items."""
    statement = f"SELECT {COLUMNS} FROM `airports` WHERE owner = %s AND NOT deleted ORDER BY id LIMIT %s"
    rows = run_query(statement, ("", limit + 1))
    log_fields.update(collection="airports")
    body: dict[str, Any] = {"items": [build_item(row) for row in rows[:limit]]}
    headers = {}
    if len(rows) > limit:
        body["next"] = base64.urlsafe_b64encode(rows[limit - 1]["id"].encode()).decode()
        headers["Link"] = f'<?limit={limit}&after={body["next"]}>; rel="next"'
    encoded = to_json(body)
    tag = base64.urlsafe_b64encode(hashlib.blake2b(encoded, digest_size=15).digest()).decode()
    return _build_response(encoded, if_none_match, {**headers, "ETag": f'"{tag}"'})


def get_receipt(item_id: str, version: str) -> Response:
    """Respond with the state of a write."""
    [row] = run_query(
        "SELECT (SELECT version FROM `airports` WHERE owner = %s AND id = %s) AS stored, "
        "(SELECT reason FROM rejected_writes WHERE version = %s AND collection = %s AND owner = %s AND id = %s) "
        "AS reason, (SELECT version FROM marks WHERE name = 'exclusions') AS excluded_before",
        ("", item_id, version, "airports", "", item_id),
    )
    stored, reason = row["stored"] or "", row["reason"]
    body = {"id": item_id, "version": version, "status": "pending"}
    if stored == version:
        body["status"] = "applied"
    elif reason is not None:
        body.update(status="rejected", reason=reason)
    elif stored > version:
        body.update(status="superseded", superseded_by=stored)
    log_fields.update(collection="airports", version=version, receipt=body["status"])
    return 200, to_json(body), {"Cache-Control": "no-store"}


def _build_response(body: bytes, if_none_match: str, headers: dict[str, str]) -> Response:
    if headers["ETag"] in if_none_match:
        return 304, b"", {**CACHE_HEADERS, **headers}
    return 200, body, {**CACHE_HEADERS, **headers}
