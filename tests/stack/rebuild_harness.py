"""Rebuilds as an operator starts them, and what the tables are before and after."""

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
# What a rebuild makes equal: of a rejected write, not which object brought it.
_COLUMNS = {"rejected_writes": "version, collection, owner, id, `write`"}

Rows = dict[str, dict[tuple[str, ...], str]]


class RebuildHarness:
    """The deployed stack, its writers, and its tables as they are."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.recovery = stack, RecoveryHarness(stack)
        self.s3, self.batches = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
        self.archive = stack.outputs["ArchiveBucketName"]

    def query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        pair = self.stack.pair
        with (
            pair.primary.connect(*pair.admin_credentials, database="sluice", autocommit=True) as connection,
            connection.cursor(DictCursor) as cursor,
        ):
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def read_rows(self, items: Collection[str] | None = None) -> Rows:
        """Every row of every table, or those of some items only, by owner, id and version."""
        found: Rows = {}
        for table in ("airports", "bookings", "rejected_writes"):
            rows = self.query(f"SELECT {_COLUMNS.get(table, '*')} FROM {table}")
            found[table] = {
                (row["owner"], str(row["id"]), row["version"]): json.dumps(row, default=str, sort_keys=True)
                for row in rows
                if items is None or str(row["id"]) in items
            }
        return found

    def wait_until_settled(self, versions: Versions) -> None:
        """Return when these airports are there, and every batch in the ledger."""
        self.wait_until_loaded(versions)
        eventually(
            lambda: self.recovery.count_missing() == 0 and not self.recovery.list_executions("Load", "RUNNING"), 120
        )

    def wait_until_loaded(self, versions: Versions, table: str = "airports") -> None:
        """Return when the items have these versions, or later ones."""

        def there() -> bool:
            found = {str(row["id"]): row["version"] for row in self.query(f"SELECT id, version FROM {table}")}
            return all(found.get(item, "") >= version for item, version in versions.items())

        eventually(there, 120)

    def wait_until_archived(self, versions: Versions) -> None:
        """Return when the archive has these writes."""
        wanted = {version.encode() for version in versions.values()}
        eventually(lambda: wanted <= self._archived(), 150)

    def _archived(self) -> set[bytes]:
        found: set[bytes] = set()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.archive, Prefix="archive/"):
            for one in page.get("Contents", []):
                content = self.s3.get_object(Bucket=self.archive, Key=one["Key"])["Body"].read()
                found.update(_VERSION.findall(gzip.decompress(content)))
        return found

    def lose_databases(self) -> None:
        """The data directories of primary and replica are gone; new, empty ones are started."""
        pair = self.stack.pair
        for server in (pair.primary, pair.replica):
            server.kill()
            shutil.rmtree(server.data)
        pair.start()

    @contextmanager
    def hide_batches(self) -> Iterator[int]:
        """A while in which the bucket of the batches is empty; how many it had."""
        there = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.batches, Prefix="batches/"):
            for one in page.get("Contents", []):
                there[one["Key"]] = self.s3.get_object(Bucket=self.batches, Key=one["Key"])["Body"].read()
                self.s3.delete_object(Bucket=self.batches, Key=one["Key"])
        try:
            yield len(there)
        finally:
            with self.recovery.disable_rules("BatchDelivered"):
                for key, content in there.items():
                    self.s3.put_object(Bucket=self.batches, Key=key, Body=content)

    def list_schemas(self) -> list[str]:
        """The schemas beside the live one."""
        found = self.query("SELECT schema_name AS name FROM information_schema.schemata")
        return sorted(str(row["name"]) for row in found if str(row["name"]).startswith("sluice_"))

    def write_invalid_item(self, mark: str) -> Versions:
        """A write that the API would never accept and no table takes, on the way of all others."""
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
    """One text for all that tables hold."""
    texts = [sorted(of_table.values()) for of_table in rows.values()]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def build_code(mark: str, number: int) -> str:
    """An airport's code: a mark and a number in base 36, four characters in all."""
    digits = ""
    while len(mark) + len(digits) < 4:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return mark + digits


def put_airports(machine: httpx.Client, mark: str, count: int, name: str = "") -> Versions:
    """Write airports with a mark and return their versions."""
    versions = {}
    for item in (build_code(mark, number) for number in range(count)):
        answer = machine.put(f"/v1/airports/{item}", json=airport(item, name=name or f"Field of {item}"))
        assert answer.status_code == 202, answer.text
        versions[item] = answer.json()["version"]
    return versions


def delete_airports(machine: httpx.Client, codes: list[str]) -> Versions:
    return {code: machine.delete(f"/v1/airports/{code}").json()["version"] for code in codes}


def post_bookings(person: httpx.Client, count: int, passenger: str) -> Versions:
    found = [person.post("/v1/bookings", json=booking(passenger=passenger)).json() for _ in range(count)]
    return {one["id"]: one["version"] for one in found}


@contextmanager
def write_continuously(machine: httpx.Client, mark: str) -> Iterator[Versions]:
    """A while in which somebody writes on and on; the versions of what was accepted."""
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
