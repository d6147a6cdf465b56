"""The results of a Map Run are counted, and the state stays small for any number of batches."""

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from sluice.aws.s3 import Bucket, ListedObject, S3Client, StoredObject
from sluice.replay import replay_report as results
from sluice.replay.replay_plan import SAMPLE_SIZE, ObjectSummary, ReplayPlan, ReplayRequest

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
STATE_LIMIT = 262_144


def plan(**more: Any) -> ReplayPlan:
    plan_fields = {
        "name": "n",
        "request": ReplayRequest(),
        "bucket": "b",
        "started_at": NOW,
        "before": NOW,
        "concurrency": 4,
    }
    return ReplayPlan(**{**plan_fields, "max_unavailable_loads": 8, "archived": False, "reload": False, **more})


def child(key: str, **output: Any) -> dict[str, Any]:
    return {"Status": "SUCCEEDED", "Input": json.dumps({"key": key}), "Output": json.dumps(output), "Name": "x"}


def failed(key: str, status: str = "FAILED", **more: Any) -> dict[str, Any]:
    return {"Status": status, "Input": json.dumps({"key": key}), **more}


@dataclass(frozen=True)
class MemoryBucket(Bucket):
    """A bucket of JSON documents in memory."""

    documents: dict[str, Any]

    def list_objects(self, prefix: str, after: str, until: str) -> Iterator[list[ListedObject]]:
        yield [ListedObject(key, "e", 1, NOW) for key in sorted(self.documents) if key.startswith(prefix)]

    def read_object(self, key: str) -> StoredObject:
        return StoredObject(json.dumps(self.documents[key]).encode(), "e")

    def write_object(self, key: str, content: bytes) -> None:
        self.documents[key] = json.loads(content)


@pytest.fixture
def files() -> dict[str, Any]:
    return {}


def test_each_outcome_is_counted(files: dict[str, Any]) -> None:
    replay_plan = plan()
    replay_plan.start_part(6)
    files["replays/n/results/00001/run/manifest.json"] = {}
    files["replays/n/results/00001/run/PENDING_0.json"] = [{"Status": "PENDING"}]
    files["replays/n/results/00001/run/SUCCEEDED_0.json"] = [
        child("a", status="loaded", applied=3, stale=2, rejected=1, lag_ms=7),
        child("b", status="already_loaded"),
        child("c", status="quarantined"),
        child("d", status="failed", error="SchemaOutdated"),
    ]
    files["replays/n/results/00001/run/FAILED_0.json"] = [
        failed("e", Error="DatabaseUnavailable", Cause="x"),
        failed("f", "ABORTED"),
    ]
    files["replays/n/results/00002/run/SUCCEEDED_0.json"] = [child("z", status="loaded")]
    replay_plan = results.tally_results(replay_plan, MemoryBucket("b", S3Client(), files))
    assert msgspec.to_builtins(replay_plan.count) == {
        "loaded": 1,
        "already_loaded": 1,
        "quarantined": 1,
        "failed": 3,
        "applied": 3,
        "stale": 2,
        "rejected": 1,
    }
    assert [(failure.key, failure.error) for failure in replay_plan.failures] == [
        ("e", "DatabaseUnavailable"),
        ("f", "Unknown"),
        ("d", "SchemaOutdated"),
    ]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "complete"),
        ({"stopped": True}, "incomplete"),
        ({"request": ReplayRequest(dry_run=True)}, "planned"),
    ],
)
def test_a_report_has_the_status(files: dict[str, Any], change: dict[str, Any], status: str) -> None:
    output = results.write_replay_report(plan(**change), MemoryBucket("b", S3Client(), files), NOW.timestamp() + 12.34)
    assert (output["status"], output["seconds"]) == (status, 12.3)
    assert output["report"] == {"bucket": "b", "key": "replays/n/report.json"}
    assert files["replays/n/report.json"] == json.loads(json.dumps(output))


def test_failed_or_remaining_batches_make_it_incomplete(files: dict[str, Any]) -> None:
    replay_plan = plan()
    replay_plan.count.failed = 1
    assert results.write_replay_report(replay_plan, MemoryBucket("b", S3Client(), files), 0)["status"] == "incomplete"
    replay_plan.count.failed, replay_plan.remaining.objects = 0, 1
    assert results.write_replay_report(replay_plan, MemoryBucket("b", S3Client(), files), 0)["status"] == "incomplete"


def test_the_state_stays_far_below_the_limit_of_a_workflow(files: dict[str, Any]) -> None:
    replay_plan = plan()
    key = "batches/" + "k" * 900
    objects = [ListedObject(f"{key}{n}", "e", 1, NOW) for n in range(20_000)]
    replay_plan.planned.add_objects(objects)
    replay_plan.remaining.add_objects(objects)
    replay_plan.start_part(20_000)
    files["replays/n/results/00001/run/FAILED_0.json"] = [failed(listed.key, Error="E" * 200) for listed in objects]
    replay_plan = results.tally_results(replay_plan, MemoryBucket("b", S3Client(), files))
    assert replay_plan.count.failed == 20_000
    assert len(replay_plan.failures) == len(replay_plan.planned.sample) == SAMPLE_SIZE
    assert len(msgspec.json.encode(replay_plan)) < STATE_LIMIT / 2
    assert (
        len(json.dumps(results.write_replay_report(replay_plan, MemoryBucket("b", S3Client(), files), 0)))
        < STATE_LIMIT / 2
    )


def test_the_digest_does_not_depend_on_the_pages_of_the_listing() -> None:
    objects = [ListedObject(key, "e", 1, NOW) for key in "abc"]
    together, apart = ObjectSummary(), ObjectSummary()
    together.add_objects(objects)
    for listed in objects:
        apart.add_objects([listed])
    assert together.digest == apart.digest
    for number in range(len(objects)):
        other = ObjectSummary()
        other.add_objects(
            [ListedObject(listed.key, "f" if n == number else "e", 1, NOW) for n, listed in enumerate(objects)]
        )
        assert other.digest != together.digest


RECOVERY = ReplayRequest(min_age=600)
OTHERS = [
    {"done": False},
    {"request": ReplayRequest()},
    {"request": ReplayRequest(min_age=600, to=NOW)},
    {"request": ReplayRequest(min_age=600, mode="all")},
    {"request": ReplayRequest(min_age=600, source="archive", mode="all")},
    {"request": ReplayRequest(min_age=600, collections=("things",))},
    {"request": ReplayRequest(min_age=600, shadow=True)},
]


def test_a_recovery_counts_the_missing_batches() -> None:
    planned, remaining = ObjectSummary(objects=7), ObjectSummary(objects=2)
    recovery = {"request": RECOVERY, "done": True, "planned": planned, "remaining": remaining}
    assert plan(**recovery).count_missing() == 7
    assert plan(**recovery, verified=True).count_missing() == 2


@pytest.mark.parametrize("other", OTHERS)
def test_another_replay_counts_no_missing_batches(other: dict[str, Any]) -> None:
    assert plan(**{"request": RECOVERY, "done": True, **other}).count_missing() is None
