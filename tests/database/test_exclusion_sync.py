"""A database restored from a backup that lacks an exclusion gets it again, and applies it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.load.exclusion_sync import sync_exclusions
from sluice.model.exclusions import Exclusion, select_active_exclusions
from sluice.rebuild.rebuild_request import read_stored_exclusions, store_exclusions
from tests.database.conftest import Connect
from tests.database.rebuild_rig import Rebuilding, excluding
from tests.database.rig import Rig
from tests.database.s3 import bucket
from tests.database.test_rebuild import code

OWN = ("things", "codes", "loaded_batches", "rejected_writes", "marks", "exclusions")


class Restoring(Rebuilding):
    """`save` copies the tables like a dump; `restore` resets them to the copy."""

    def save(self) -> None:
        self.run(*(f"CREATE OR REPLACE TABLE {self.schema}_saved.{table} AS SELECT * FROM {table}" for table in OWN))

    def restore(self) -> None:
        for table in OWN:
            self.run(f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM {self.schema}_saved.{table}")

    def run(self, *statements: str) -> None:
        with self.admin.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rebuild(self, keys: list[str], *exclusions: Exclusion) -> None:
        """Rebuild as the workflow does: exclusions of S3 and of the table, then these; stored after the swap."""
        self.prepare(*read_stored_exclusions(bucket()), *exclusions)
        self.fill(keys)
        self.swap()
        with self.parts() as (shadow, _):
            store_exclusions(bucket(), shadow.read_exclusions())
        time.sleep(1)  # retained schemas have a name with seconds

    def sync_exclusions(self) -> list[str]:
        return sync_exclusions(self.rig.database, read_stored_exclusions(bucket()))

    def texts(self) -> dict[str, str]:
        return {row["id"]: row["text"] for row in self.rows("SELECT id, text FROM codes WHERE NOT deleted")}


@pytest.fixture
def restoring(rig: Rig, connect: Connect, s3: Any) -> Iterator[Restoring]:
    rig_with_copy = Restoring(rig, connect(autocommit=True))
    rig_with_copy.run(f"CREATE DATABASE {rig_with_copy.schema}_saved")
    bucket().delete_object("rebuilds/exclusions.json")
    yield rig_with_copy
    rig_with_copy.run(f"DROP DATABASE {rig_with_copy.schema}_saved")
    rig_with_copy.clean()


def put(restoring: Restoring, *texts: tuple[str, str]) -> list[tuple[str, str]]:
    """Put a batch for each write. Returns keys and versions."""
    writes = [code(name, text) for name, text in texts]
    return [(restoring.rig.objects.put(f"batches/{write.version}", [write]), write.version) for write in writes]


def test_a_replay_restores_no_write_that_was_excluded_after_the_dump(restoring: Restoring) -> None:
    good, bad = put(restoring, ("c", "good"), ("c", "bad"))
    restoring.load(good[0])
    restoring.save()
    restoring.load(bad[0])
    restoring.rebuild([good[0], bad[0]], excluding("r1", exclude={"versions": [bad[1]]}))
    assert restoring.texts() == {"c": "good"}
    restoring.restore()
    assert restoring.sync_exclusions() == ["r1"]
    assert [result.status for result in restoring.load(good[0], bad[0])] == ["already_loaded", "loaded"]
    assert restoring.texts() == {"c": "good"}
    assert restoring.sync_exclusions() == []


def test_present_exclusions_stay_with_added_ones(restoring: Restoring) -> None:
    keys = put(restoring, ("c", "first"), ("d", "second"), ("e", "good"))
    first = excluding("r1", exclude={"versions": [keys[0][1]]})
    restoring.rebuild([], first)
    restoring.save()
    second = excluding("r2", exclude={"versions": [keys[1][1]]})
    restoring.rebuild([], second)
    restoring.restore()
    assert restoring.sync_exclusions() == ["r2"]
    assert {exclusion.execution for exclusion in select_active_exclusions([first, second])} == {
        row["execution"] for row in restoring.rows("SELECT execution FROM exclusions")
    }
    restoring.load(*(key for key, _ in keys))
    assert restoring.texts() == {"e": "good"}


def test_a_sync_does_not_exclude_writes_that_a_rebuild_included_again(restoring: Restoring) -> None:
    """Also between the swap and the storing, when S3 still has what the tables lack."""
    [(key, version)] = put(restoring, ("c", "bad"))
    restoring.rebuild([key], excluding("r1", exclude={"versions": [version]}))
    restoring.prepare(*read_stored_exclusions(bucket()), excluding("r2", reset_exclusions=True))
    restoring.fill([key])
    restoring.swap()
    assert restoring.texts() == {"c": "bad"}
    assert restoring.sync_exclusions() == []
    other = restoring.rig.objects.put("batches/other", [code("d", "new")])
    restoring.run("DELETE FROM codes", "DELETE FROM loaded_batches")
    restoring.load(key, other)
    assert restoring.texts() == {"c": "bad", "d": "new"}


def test_a_sync_also_adds_a_reset_after_the_dump(restoring: Restoring) -> None:
    [(key, version)] = put(restoring, ("c", "bad"))
    restoring.rebuild([key], excluding("r1", exclude={"versions": [version]}))
    restoring.save()
    restoring.rebuild([key], excluding("r2", reset_exclusions=True))
    restoring.restore()
    [name] = restoring.sync_exclusions()
    assert name.startswith("reset-")
    restoring.run("DELETE FROM loaded_batches")
    restoring.load(key)
    assert restoring.texts() == {"c": "bad"}


def test_an_older_exclusion_does_not_lower_the_end_version(restoring: Restoring) -> None:
    """A load reads the rules only for versions below it."""
    [(key, version)] = put(restoring, ("c", "bad"))
    late = excluding("r2", exclude={"versions": [version]})
    restoring.rebuild([], late)
    old = excluding("r1", exclude={"owners": ["o"], "to": "2020-01-01T00:00:00Z"})
    store_exclusions(bucket(), [old])
    assert restoring.sync_exclusions() == ["r1"]
    restoring.load(key)
    assert restoring.texts() == {}


def test_without_stored_exclusions_the_database_is_not_used(rig: Rig) -> None:
    rig.database.drop_connection()
    assert sync_exclusions(rig.database, []) == []
    assert rig.database._connection is None


def test_the_load_function_syncs_exclusions(restoring: Restoring, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_HOST": "localhost",
        "DATABASE_PORT": "1",
        "DATABASE_NAME": "none",
        "DATABASE_SECRET_ARN": "arn:none",
        "POWERTOOLS_SERVICE_NAME": "sluice",
        "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
    }.items():
        monkeypatch.setenv(name, value)
    from sluice.handlers import load as handler  # noqa: PLC0415

    monkeypatch.setattr(handler, "_database", restoring.rig.database)
    event = {**json.loads(Path("events/load/sync_exclusions.json").read_text()), "bucket": "batches"}
    store_exclusions(bucket(), [excluding("r1", exclude={"owners": ["o"]})])
    assert [handler.handle(event, None), handler.handle(event, None)] == [
        {"synced_exclusions": ["r1"]},
        {"synced_exclusions": []},
    ]
