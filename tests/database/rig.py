"""A loader on the real primary that reads batches from memory."""

import gzip
import io
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import DictCursor
from sqlalchemy import create_engine

from sluice.db.connection import Database
from sluice.load.batch_reader import BatchObject
from sluice.load.load_types import LoadResult
from sluice.load.loader import Loader
from sluice.model.record import Write, encode_write
from sluice.model.resource import Resource
from sluice.schema.ddl import build_metadata


@dataclass
class Objects:
    """Objects by key, in place of S3: text in, GZIP out."""

    content: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, writes: Iterable[Write | bytes]) -> str:
        lines = [write if isinstance(write, bytes) else encode_write(write) for write in writes]
        self.content[key] = gzip.compress(b"".join(lines), 1, mtime=0)
        return key

    def open(self, _bucket: str, key: str) -> BatchObject:
        content = self.content[key]
        return BatchObject(key, f"{len(content)}-{hash(content):x}", io.BytesIO(content))


@dataclass
class Rig:
    """Everything a load test needs: resources with their tables, objects, and loaders."""

    connection: "Connection[Any]"
    database: Database
    resources: Mapping[str, Resource]
    objects: Objects

    def loader(self, database: Database | None = None) -> Loader:
        return Loader(database or self.database, self.resources, self.objects.open)

    def load(self, *writes: Write | bytes, key: str = "") -> LoadResult:
        key = key or f"batches/{random.getrandbits(64):x}"
        return self.loader().load_batch("bucket", self.objects.put(key, writes))

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        self.connection.rollback()
        with self.connection.cursor(DictCursor) as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def make_tables(self) -> None:
        engine = create_engine("mariadb+pymysql://", creator=lambda: self.connection)
        build_metadata(self.resources.values()).create_all(engine)
