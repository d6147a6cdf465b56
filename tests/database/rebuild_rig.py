"""The steps of a rebuild on the real primary: the shadow of a test's schema, loads into it, and the swap."""

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from pymysql.connections import Connection

from sluice.db.connection import Database
from sluice.load.load_types import LoadResult
from sluice.load.loader import Loader
from sluice.model.exclusions import Exclusion
from sluice.model.schema_names import filter_retained_schemas, shadow_schema_name
from sluice.model.versions import new_version
from sluice.rebuild.rebuild_request import RebuildRequest, build_exclusions, parse_rebuild_request
from sluice.schema.ddl_executor import Executor
from sluice.schema.shadow import Shadow
from sluice.schema.swap import Swap
from tests.database.rig import Rig

Tables = dict[str, list[dict[str, Any]]]


class Rebuilding:
    """`live` and `shadow` load batches of `rig.objects`, each with its own connection."""

    def __init__(self, rig: Rig, admin: "Connection[Any]") -> None:
        self.rig, self.admin = rig, admin
        self.schema = rig.database._settings.database_name
        there = msgspec.structs.replace(rig.database._settings, database_name=shadow_schema_name(self.schema))
        self.shadow_database = Database(there, statement_timeout_seconds=30, for_loading=True)
        self.live = Loader(rig.database, rig.resources, rig.objects.open)
        self.shadow = Loader(self.shadow_database, rig.resources, rig.objects.open)
        self.mark = ""

    @contextmanager
    def parts(self) -> Iterator[tuple[Shadow, Swap]]:
        executor = Executor(self.admin, time.monotonic() + 60)
        shadow = Shadow(executor, self.schema, self.rig.resources)
        yield shadow, Swap(executor, self.schema, shadow)

    def prepare(self, *exclusions: Exclusion) -> list[Exclusion]:
        self.mark = new_version()
        with self.parts() as (shadow, _):
            return shadow.prepare(self.mark, exclusions)

    def swap(self, began: datetime.datetime | None = None) -> str:
        with self.parts() as (_, swap):
            return swap.run(self.mark, began, datetime.datetime.now(datetime.UTC))

    def fill(self, keys: Sequence[str]) -> list[LoadResult]:
        return [self.shadow.load_batch("bucket", key) for key in keys]

    def load(self, *keys: str) -> list[LoadResult]:
        return [self.live.load_batch("bucket", key) for key in keys]

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Like `rig.rows`, but ends the transaction, because a swap would wait for it."""
        rows = self.rig.rows(statement, *values)
        self.rig.connection.rollback()
        return rows

    def tables(self) -> Tables:
        """The data that a rebuild reproduces: all except load times and the object keys of rejected writes."""
        tables = {name: self.rows(f"SELECT * FROM {name} ORDER BY owner, id") for name in self.rig.resources}
        tables["rejected_writes"] = self.rows(
            "SELECT version, collection, owner, id, `write` FROM rejected_writes ORDER BY version, id"
        )
        return tables

    def schemas(self) -> list[str]:
        names = [row["name"] for row in self.rows("SELECT schema_name AS name FROM information_schema.schemata")]
        return [
            *filter_retained_schemas(self.schema, names),
            *(name for name in names if name == shadow_schema_name(self.schema)),
        ]

    def clean(self) -> None:
        self.shadow_database.drop_connection()
        with self.admin.cursor() as cursor:
            for name in self.schemas():
                cursor.execute(f"DROP DATABASE {name}")


def excluding(name: str = "rebuild-1", **body: Any) -> Exclusion:
    """The exclusion of a rebuild that starts now, a millisecond after all earlier writes."""
    time.sleep(0.002)
    now = datetime.datetime.now(datetime.UTC)
    request: RebuildRequest = parse_rebuild_request(body, {"things", "codes"}, now)
    [exclusion] = build_exclusions(request, name, now)
    return exclusion
