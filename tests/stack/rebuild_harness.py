"""Write data for rebuilds, lose databases or batches, and compare the tables before and after."""

import datetime
import gzip
import hashlib
import json
import re
import shutil
import string
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pymysql.cursors import DictCursor

from local.stack import Stack
from sluice.model.versions import new_version
from tests.stack.recovery_harness import RecoveryHarness, Versions
from tests.stack.samples import airport, booking
from tests.stack.waiting import eventually

_DIGITS = string.digits + string.ascii_uppercase
_VERSION = re.compile(rb'"version": ?"([0-9A-Z]{26})"')
# The columns that a rebuild restores. For a rejected write, the object key is not among them.
_COLUMNS = {"rejected_writes": "version, collection, owner, id, `write`"}

Rows = dict[str, dict[tuple[str, ...], str]]


class RebuildHarness:
    """A deployed stack and its tables."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.recovery = stack, RecoveryHarness(stack)
        self.s3, self.batches = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
        self.archive = stack.outputs["ArchiveBucketName"]

    def query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        servers = self.stack.servers
        with (
            servers.primary.connect(*servers.admin_credentials, database="sluice", autocommit=True) as connection,
            connection.cursor(DictCursor) as cursor,
        ):
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def read_rows(self, items: Collection[str] | None = None) -> Rows:
        """The rows of all tables, or only those of some items, by owner, id and version."""
        tables: Rows = {}
        for table in ("airports", "bookings", "rejected_writes"):
            rows = self.query(f"SELECT {_COLUMNS.get(table, '*')} FROM {table}")
            tables[table] = {
                (row["owner"], str(row["id"]), row["version"]): json.dumps(row, default=str, sort_keys=True)
                for row in rows
                if items is None or str(row["id"]) in items
            }
        return tables

    def wait_until_settled(self, versions: Versions) -> None:
        """Return when these airports are loaded, and the ledger has every batch."""
        self.wait_until_loaded(versions)
        eventually(
            lambda: self.recovery.count_missing() == 0 and not self.recovery.list_executions("Load", "RUNNING"), 120
        )

    def wait_until_loaded(self, versions: Versions, table: str = "airports") -> None:
        """Return when the items have these versions or later ones."""

        def is_loaded() -> bool:
            loaded = {str(row["id"]): row["version"] for row in self.query(f"SELECT id, version FROM {table}")}
            return all(loaded.get(item, "") >= version for item, version in versions.items())

        eventually(is_loaded, 120)

    def wait_until_archived(self, versions: Versions) -> None:
        """Return when the archive has these writes."""
        expected = {version.encode() for version in versions.values()}
        eventually(lambda: expected <= set(self.list_stored_versions(self.archive, "archive/")), 150)

    def list_stored_versions(self, bucket: str, prefix: str) -> list[bytes]:
        """The versions of the writes in the objects of a bucket. A write that was delivered twice is there twice."""
        versions: list[bytes] = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                content = self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                versions.extend(_VERSION.findall(gzip.decompress(content)))
        return versions

    def lose_databases(self) -> None:
        """Delete the data directories of all servers, and start them with empty ones."""
        servers = self.stack.servers
        for server in servers.all:
            server.kill()
            shutil.rmtree(server.data)
        servers.start()

    @contextmanager
    def hide_batches(self) -> Iterator[int]:
        """Remove all batches from the batch bucket, and restore them at the end; yields their number."""
        contents = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.batches, Prefix="batches/"):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                contents[key] = self.s3.get_object(Bucket=self.batches, Key=key)["Body"].read()
                self.s3.delete_object(Bucket=self.batches, Key=key)
        try:
            yield len(contents)
        finally:
            with self.recovery.disable_rules("BatchDelivered"):
                for key, content in contents.items():
                    self.s3.put_object(Bucket=self.batches, Key=key, Body=content)

    def list_schemas(self) -> list[str]:
        """The schemas besides the live one."""
        rows = self.query("SELECT schema_name AS name FROM information_schema.schemata")
        return sorted(str(row["name"]) for row in rows if str(row["name"]).startswith("sluice_"))

    def write_invalid_item(self, mark: str) -> Versions:
        """Put a write on the stream that the API would reject and that no table accepts; return when it is rejected."""
        write = {
            "version": new_version(), "collection": "airports", "id": f"{mark}BAD", "operation": "put", "owner": "",
            "accepted_at": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}", "schema": 1,
            "data": airport(f"{mark}BAD", name="x" * 500),
        }  # fmt: skip
        self.stack.aws_client("firehose").put_record(
            DeliveryStreamName=self.stack.outputs["StreamName"], Record={"Data": json.dumps(write).encode() + b"\n"}
        )
        eventually(lambda: self.query("SELECT 1 FROM rejected_writes WHERE id = %s", f"{mark}BAD"))
        return {f"{mark}BAD": str(write["version"])}


def compute_checksum(rows: Rows) -> str:
    """A checksum of the rows of all tables."""
    texts = [sorted(table.values()) for table in rows.values()]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def build_code(mark: str, number: int) -> str:
    """The code of an airport: a mark and a number in base 36, four characters in total."""
    digits = ""
    while len(mark) + len(digits) < 4:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return mark + digits


def put_airports(machine: httpx.Client, mark: str, count: int, name: str = "") -> Versions:
    """Write airports whose codes begin with a mark; returns their versions."""
    versions = {}
    for item in (build_code(mark, number) for number in range(count)):
        answer = machine.put(f"/v1/airports/{item}", json=airport(item, name=name or f"Field of {item}"))
        assert answer.status_code == 202, answer.text
        versions[item] = answer.json()["version"]
    return versions


def delete_airports(machine: httpx.Client, codes: list[str]) -> Versions:
    return {code: machine.delete(f"/v1/airports/{code}").json()["version"] for code in codes}


def post_bookings(person: httpx.Client, count: int, passenger: str) -> Versions:
    receipts = [person.post("/v1/bookings", json=booking(passenger=passenger)).json() for _ in range(count)]
    return {receipt["id"]: receipt["version"] for receipt in receipts}


@contextmanager
def write_continuously(machine: httpx.Client, mark: str) -> Iterator[Versions]:
    """Write airports in the background without a pause; yields the versions of the accepted writes."""
    stop, versions = threading.Event(), Versions()

    def write() -> None:
        number = 0
        while not stop.is_set():
            item = build_code(mark, number % 50)
            versions[item] = machine.put(f"/v1/airports/{item}", json=airport(item)).json()["version"]
            number += 1
            time.sleep(0.02)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield versions
    finally:
        stop.set()
        thread.join()
