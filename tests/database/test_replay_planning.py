"""Planning and verifying a replay, with a real ledger and the emulated S3."""

import datetime
import gzip
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import pytest

from sluice.aws.s3 import Bucket, ListedObject, S3Client
from sluice.db.connection import Database
from sluice.errors import DatabaseUnavailable, SchemaOutdated
from sluice.load.batch_reader import create_replay_opener, open_batch, read_blocks
from sluice.model.batch_keys import QUARANTINE_PREFIX
from sluice.model.record import encode_write
from sluice.replay.planner import Buckets, Planner, find_quarantined
from sluice.replay.replay_plan import ReplayPlan
from tests.database.deployed import Root
from tests.database.rig import Rig
from tests.database.s3 import bucket
from tests.database.things import delete
from tests.unit.requesting import Context

Step = Callable[[ReplayPlan, float], ReplayPlan]

KNOWN = {"things", "codes"}
PAGE = 1000


@pytest.fixture
def empty(s3: Any) -> Iterator[None]:
    yield
    for name in ("batches", "archive"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            if listed := page.get("Contents"):
                objects = [{"Key": entry["Key"]} for entry in listed]
                s3.delete_objects(Bucket=name, Delete={"Objects": objects})


@pytest.fixture
def planner(rig: Rig, empty: None) -> Iterator[Planner]:
    database = Database(rig.database._settings, statement_timeout_seconds=30)
    yield Planner(database, database, Buckets(bucket("batches"), bucket("archive")), 4)
    database.drop_connection()


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)  # S3's times are whole seconds


def begin(planner: Planner, name: str = "replay", **fields: Any) -> ReplayPlan:
    return planner.begin_replay(name, fields, KNOWN, now())


def manifest(s3: Any, plan: ReplayPlan) -> list[dict[str, Any]]:
    text = s3.get_object(Bucket="batches", Key=plan.manifest)["Body"].read()
    return [json.loads(line) for line in text.splitlines()]


def run_to_end(
    step: Callable[[ReplayPlan, float], ReplayPlan],
    plan: ReplayPlan,
    done: Callable[[ReplayPlan], bool],
    seconds: float = 60,
) -> int:
    """Run a step until it is done, like the workflow, and return the number of runs."""
    for count in range(1, 100):
        plan = step(plan, seconds)
        if done(plan):
            return count
    raise AssertionError("it does not end")


class Batches:
    """Batches in S3, some of them in the ledger."""

    def __init__(self, s3: Any, rig: Rig) -> None:
        self._s3, self._rig = s3, rig

    def put(self, hour: str, number: int, name: str = "batches", content: bytes = b"x") -> str:
        key = f"{name}/2026/11/{hour}/stream-1-{number:06}.jsonl.gz"
        self._s3.put_object(Bucket=name, Key=key, Body=content)
        return key

    def put_many(self, hour: str, count: int) -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda number: self.put(hour, number), range(count)))

    def loaded(self, *keys: str) -> None:
        with self._rig.connection.cursor() as cursor:
            for key in keys:
                etag = self._s3.head_object(Bucket="batches", Key=key)["ETag"].strip('"')
                cursor.execute("INSERT INTO loaded_batches VALUES (%s, %s, 0, 0, 0, 0, UTC_TIMESTAMP(6))", (key, etag))
        self._rig.connection.commit()


@pytest.fixture
def batches(s3: Any, rig: Rig) -> Batches:
    return Batches(s3, rig)


def test_batches_that_the_ledger_lacks_are_planned(planner: Planner, batches: Batches, s3: Any) -> None:
    keys = [batches.put("23/10", number) for number in range(4)]
    batches.loaded(keys[0], keys[2])
    plan = planner.plan_next_part(begin(planner), 60)
    assert plan.done
    assert (plan.listed, plan.planned.objects, plan.part_count, plan.planned.bytes) == (4, 2, 2, 2)
    assert [(batch["key"], batch["size"]) for batch in manifest(s3, plan)] == [(keys[1], 1), (keys[3], 1)]
    batches.loaded(keys[1])
    plan = planner.verify_remaining(plan, 60)
    assert plan.verified
    assert plan.remaining.sample == [keys[3]]
    batches.loaded(keys[3])
    second = planner.plan_next_part(begin(planner), 60)
    assert (second.planned.objects, second.part, second.manifest) == (0, 0, "")


def test_an_overwritten_batch_is_missing_again(planner: Planner, batches: Batches, s3: Any) -> None:
    key = batches.put("23/10", 1)
    batches.loaded(key)
    batches.put("23/10", 1, content=b"another")
    plan = planner.plan_next_part(begin(planner), 60)
    [line] = manifest(s3, plan)
    assert (line["key"], line["etag"]) == (key, s3.head_object(Bucket="batches", Key=key)["ETag"].strip('"'))


def test_keys_that_differ_in_case_or_blanks_are_different(planner: Planner, batches: Batches) -> None:
    batches.loaded(batches.put("23/10", 1))
    bucket().write_object("batches/2026/11/23/10/STREAM-1-000001.jsonl.gz", b"x")
    assert planner.plan_next_part(begin(planner), 60).planned.objects == 1


def test_quarantined_batches_are_not_missing_until_they_are_written_again(
    planner: Planner, batches: Batches, s3: Any
) -> None:
    keys = [batches.put("23/10", number) for number in range(3)]
    bucket().copy_under_prefix(keys[1], QUARANTINE_PREFIX)
    plan = planner.plan_next_part(begin(planner), 60)
    assert [batch["key"] for batch in manifest(s3, plan)] == [keys[0], keys[2]]
    time.sleep(1.1)  # S3's times are whole seconds
    batches.put("23/10", 1, content=b"another")
    assert planner.plan_next_part(begin(planner), 60).planned.objects == 3
    bucket().copy_under_prefix(keys[1], QUARANTINE_PREFIX)
    assert planner.plan_next_part(begin(planner), 60).planned.objects == 2
    s3.delete_object(Bucket="batches", Key=QUARANTINE_PREFIX + keys[1])
    assert planner.plan_next_part(begin(planner), 60).planned.objects == 3


@pytest.mark.slow
def test_many_pages_are_planned_in_consecutive_parts(
    planner: Planner, batches: Batches, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.replay.planner.PART_SIZE", 900)
    keys = batches.put_many("23/10", 2 * PAGE + 300)
    batches.loaded(*keys[:200], *keys[-1:])
    plan, planned = begin(planner), list[str]()
    while not plan.done:
        plan = planner.plan_next_part(plan, 60)
        if plan.part_count:
            planned += [batch["key"] for batch in manifest(s3, plan)]
    assert planned == keys[200:-1]
    assert (plan.listed, plan.planned.objects, plan.part) == (len(keys), len(keys) - 201, 2)
    assert run_to_end(planner.verify_remaining, plan, lambda state: state.verified) == 1
    assert plan.remaining.objects == len(keys) - 201


def test_without_time_a_step_reads_one_page(planner: Planner, batches: Batches) -> None:
    batches.put_many("23/10", PAGE + 1)
    plan = begin(planner)
    assert run_to_end(planner.plan_next_part, plan, lambda state: state.done, seconds=0) == 3
    assert plan.planned.objects == PAGE + 1
    assert run_to_end(planner.verify_remaining, plan, lambda state: state.verified, seconds=0) == 3
    assert plan.remaining.objects == PAGE + 1


def test_a_window_includes_its_hours_and_the_hour_before(planner: Planner, batches: Batches, s3: Any) -> None:
    keys = {hour: batches.put(hour, 1) for hour in ("22/23", "23/08", "23/09", "23/10", "23/11", "23/12")}
    plan = planner.plan_next_part(begin(planner, **{"from": "2026-11-23T10:20:00Z", "to": "2026-11-23T11:00:00Z"}), 60)
    assert [batch["key"] for batch in manifest(s3, plan)] == [keys[hour] for hour in ("23/09", "23/10", "23/11")]
    assert plan.listed == 3


def test_mode_all_includes_loaded_batches(planner: Planner, batches: Batches) -> None:
    key = batches.put("23/10", 1)
    batches.loaded(key)
    plan = planner.plan_next_part(begin(planner, mode="all"), 60)
    assert plan.reload
    assert plan.planned.sample == [key]
    assert planner.verify_remaining(plan, 60).remaining.objects == 0


def delivered(s3: Any, key: str) -> datetime.datetime:
    """The time when S3 got an object; S3 lists it in whole seconds."""
    [listed] = s3.list_objects_v2(Bucket="batches", Prefix=key)["Contents"]
    moment: datetime.datetime = listed["LastModified"]
    return moment


@pytest.mark.parametrize(("later", "planned"), [(0, 1), (-1, 0)])
def test_a_batch_of_exactly_that_moment_counts(
    planner: Planner, batches: Batches, s3: Any, later: int, planned: int
) -> None:
    moment = delivered(s3, batches.put("23/10", 1))
    begin = moment + datetime.timedelta(seconds=60, microseconds=later)
    plan = planner.plan_next_part(planner.begin_replay("replay", {"min_age": 60}, KNOWN, begin), 60)
    assert (plan.listed, plan.planned.objects) == (planned, planned)
    assert planner.verify_remaining(plan, 60).remaining.objects == planned


@pytest.mark.parametrize(("later", "aside"), [(0, {"batches/a"}), (-1, set())])
def test_a_copy_of_the_same_second_belongs_to_the_batch(
    monkeypatch: pytest.MonkeyPatch, later: int, aside: set[str]
) -> None:
    """S3's times are whole seconds, so that a batch and its copy usually have the same one."""
    delivered = ListedObject("batches/a", "e", 1, now())
    copy = ListedObject("quarantine/batches/a", "e", 1, delivered.modified + datetime.timedelta(seconds=later))
    monkeypatch.setattr(Bucket, "list_objects", lambda *_asked: iter([[copy]]))
    assert find_quarantined(bucket(), [delivered]) == aside


def test_a_window_includes_its_first_and_its_last_key(planner: Planner, batches: Batches, s3: Any) -> None:
    """It ends a minute later because of clock skew: a window that ends at an hour includes that hour's keys."""
    for hour in ("23/08", "23/09", "23/10", "23/11", "23/12"):
        batches.put(hour, 0)
    for ends, hours in (
        ("2026-11-23T10:58:59Z", ["23/09", "23/10"]),
        ("2026-11-23T10:59:00Z", ["23/09", "23/10", "23/11"]),
    ):
        plan = planner.plan_next_part(begin(planner, **{"from": "2026-11-23T10:00:00Z", "to": ends}), 60)
        assert [batch["key"][len("batches/2026/11/") :][:5] for batch in manifest(s3, plan)] == hours


def test_the_digest_of_the_remaining_batches_changes_with_any_of_them(planner: Planner, batches: Batches) -> None:
    keys = [batches.put("23/10", number) for number in range(4)]

    def digest() -> str:
        return planner.verify_remaining(begin(planner), 60).remaining.digest

    first = digest()
    assert digest() == first
    batches.put("23/10", 1, content=b"another")
    second = digest()
    assert second != first
    batches.loaded(keys[3])
    assert digest() not in {first, second}
    batches.loaded(*keys[:3])
    assert digest() == ""


def test_young_batches_are_not_planned(planner: Planner, batches: Batches) -> None:
    batches.put("23/10", 1)
    plan = planner.plan_next_part(begin(planner, min_age=60), 60)
    assert (plan.listed, plan.planned.objects) == (0, 0)


def test_the_archive_is_planned_completely_and_verified_by_the_results_of_its_loads(
    planner: Planner, batches: Batches, s3: Any
) -> None:
    key = batches.put("23/10", 1, "archive")
    batches.put("23/10", 1)
    plan = planner.plan_next_part(begin(planner, source="archive"), 60)
    assert (plan.bucket, plan.archived, plan.reload) == ("archive", True, True)
    assert [batch["key"] for batch in manifest(s3, plan)] == [key]
    assert planner.verify_remaining(plan, 60).remaining.objects == 1
    plan.count.loaded = 1
    assert planner.verify_remaining(plan, 60).remaining.objects == 0


def test_a_rebuild_s_replay_uses_the_shadow_s_ledger_and_reserves_a_load_for_live_traffic(
    planner: Planner, batches: Batches, rig: Rig
) -> None:
    batches.put("23/10", 1)
    there = msgspec.structs.replace(rig.database._settings, database_name=f"{rig.database._settings.database_name}_no")
    planner._shadow = Database(there, statement_timeout_seconds=5)
    assert planner.plan_next_part(begin(planner), 60).planned.objects == 1
    shadow = begin(planner, shadow=True)
    assert (begin(planner).concurrency, shadow.concurrency) == (4, 3)
    least = Planner(planner._primary, planner._shadow, planner._buckets, 1)
    assert begin(least, shadow=True).concurrency == 1
    with pytest.raises(SchemaOutdated):
        planner.plan_next_part(shadow, 60)


def test_an_unavailable_ledger_is_an_error(planner: Planner, batches: Batches, root: Root) -> None:
    batches.put("23/10", 1)
    connection: Any = planner._primary.get_connection()
    root.run(f"KILL {connection.thread_id()}")
    planner.plan_next_part(begin(planner), 60)  # a broken connection is replaced
    closed = msgspec.structs.replace(planner._primary._settings, database_port=1)
    unavailable = Database(closed, statement_timeout_seconds=5)
    there = Buckets(bucket("batches"), bucket("archive"))
    with pytest.raises(DatabaseUnavailable):
        Planner(unavailable, unavailable, there, 4).plan_next_part(begin(planner), 60)


def test_an_object_of_the_archive_opens_like_its_batch(s3: Any, empty: None) -> None:
    lines = [encode_write(delete("01900000-0000-7000-8000-000000000001")) for _ in range(3)]
    s3.put_object(Bucket="archive", Key="archive/a", Body=gzip.compress(lines[0] + b"no\n" + lines[1][:-1] + lines[2]))
    opened = create_replay_opener(partial(open_batch, S3Client()), archived=True)("archive", "archive/a")
    assert b"".join(read_blocks(opened)) == b"".join(lines)


def test_the_ledger_s_entries_are_looked_up(planner: Planner, batches: Batches) -> None:
    keys = [batches.put("23/10", number) for number in range(3)]
    batches.loaded(keys[0], keys[2])
    entries = {entry.key: entry for entry in planner.look_up_batches([*keys, "batches/nope"])}
    assert [*entries] == [keys[0], keys[2]]
    assert entries[keys[0]].etag == "9dd4e461268c8034f5c8564e155c67a6"  # MD5 of the content
    assert abs((entries[keys[0]].loaded_at - now()).total_seconds()) < 60
    assert planner.look_up_batches([]) == []


@pytest.mark.usefixtures("_function_environment")
def test_a_recovery_reports_how_many_batches_are_missing(
    planner: Planner, batches: Batches, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sluice.handlers import plan as handler  # noqa: PLC0415

    monkeypatch.setattr(handler, "_planner", planner)
    keys = [batches.put("23/10", number) for number in range(3)]
    batches.loaded(keys[0])
    later = now() + datetime.timedelta(seconds=5)
    plan = planner.begin_replay("recovery", {"min_age": 1}, KNOWN, later)
    planned = handler.handle({"step": "plan", "plan": msgspec.to_builtins(plan)}, Context())
    batches.loaded(keys[1])
    handler.handle({"step": "verify", "plan": planned}, Context())
    # Without a minimum age, young batches count too, which their own loads have not reached.
    handler.handle({"step": "plan", "plan": msgspec.to_builtins(begin(planner))}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["BatchesMissing"] for line in lines if "BatchesMissing" in line] == [[2.0], [1.0]]
