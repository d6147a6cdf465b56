"""The check that archive and batches hold the same writes, on two buckets."""

import datetime
import gzip
import json
from typing import Any

import pytest

from ops.checks import CheckResult
from ops.verify import archive
from ops.verify import subject as subject_module
from ops.verify.catalogue import CHECKS
from ops.verify.contract import Collection
from ops.verify.run import run_checks
from ops.verify.subject import OwnWrite, Subject
from tests.ops.stub_stack import StubStack

NOTES = Collection("notes", is_private=True, key="", examples=())
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def create_version(age_seconds: float, number: int = 0) -> str:
    """A ULID of a time in the past."""
    now = datetime.datetime.now(datetime.UTC).timestamp()
    milliseconds = round((now - age_seconds) * 1000)
    return "".join(DIGITS[milliseconds >> shift & 31] for shift in range(45, -1, -5)) + f"{number:016}"


def pack(*versions: str) -> bytes:
    writes = [json.dumps({"version": version, "collection": "notes", "id": "n"}) for version in versions]
    return gzip.compress("\n".join([*writes, "no JSON", '{"version": 7}', ""]).encode())


class StackOfBuckets:
    """The part of `ops.aws.Stack` that the check needs."""

    parameters: dict[str, str]

    def __init__(self, stub: StubStack) -> None:
        self.parameters = {}
        self._stub = stub

    def client(self, _service: str) -> Any:
        return self._stub.s3

    def output(self, name: str) -> str:
        return self._stub.outputs[name]


@pytest.fixture
def put(stub_stack: StubStack) -> Any:
    """Puts an object of the current hour into one of the buckets."""

    def put_object(place: str, body: bytes, name: str = "x") -> None:
        bucket = stub_stack.outputs["BatchBucketName" if place == "batches" else "ArchiveBucketName"]
        stub_stack.put_object(f"{place}/{datetime.datetime.now(datetime.UTC):%Y/%m/%d/%H}/{name}", body, bucket)

    return put_object


def compare(stub_stack: StubStack, own: str, minutes: float = 15) -> CheckResult:
    class SubjectWithWrite(Subject):
        def own_write(self) -> OwnWrite:
            return OwnWrite(NOTES, "n", own, "", "", 0)

    window = datetime.timedelta(minutes=minutes)
    [result] = run_checks(SubjectWithWrite(StackOfBuckets(stub_stack), window=window), [CHECKS["archive"]])  # type: ignore[arg-type]
    return result


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "DELIVERY_MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(subject_module, "POLL_SECONDS", 0.05)


def test_the_time_of_a_version_is_read(stub_stack: StubStack) -> None:
    expected = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=90)
    assert abs(archive.parse_ulid_time(create_version(90)) - expected) < datetime.timedelta(seconds=1)


def test_equal_writes_in_other_objects_pass(stub_stack: StubStack, put: Any) -> None:
    own, earlier = create_version(1), create_version(20)
    put("batches", pack(earlier, own))
    put("archive", pack(own), "a")
    put("archive", pack(earlier, own), "b")
    put("batches", b"no batch", "unreadable")
    result = compare(stub_stack, own)
    assert (result.state, result.message.partition(" since ")[0]) == ("ok", "2 writes")


@pytest.mark.parametrize(
    ("place", "other", "sentence"),
    [
        ("batches", "archive", "The archive lacks 1 write of the batches (first {})."),
        ("archive", "batches", "No batch has 1 write of the archive (first {})."),
    ],
)
def test_a_write_that_one_of_them_lacks_fails(
    stub_stack: StubStack, put: Any, place: str, other: str, sentence: str
) -> None:
    own, lost = create_version(1), create_version(20)
    put(place, pack(lost, own))
    put(other, pack(own))
    result = compare(stub_stack, own)
    assert (result.state, result.message) == ("failed", sentence.format(lost))
    assert compare(stub_stack, own, minutes=0).state == "ok"


def test_an_own_write_that_is_nowhere_fails(stub_stack: StubStack) -> None:
    assert compare(stub_stack, create_version(1)).message == "Neither the archive nor a batch has an accepted write."


def test_writes_after_the_own_one_do_not_count(stub_stack: StubStack, put: Any) -> None:
    own = create_version(10)
    put("batches", pack(own, create_version(1)))
    put("archive", pack(own))
    assert compare(stub_stack, own).state == "ok"


def test_a_window_with_too_many_bytes_is_shortened(
    stub_stack: StubStack, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10)
    monkeypatch.setattr(archive, "CLOCK_MARGIN", datetime.timedelta())
    own = create_version(2)
    put("batches", pack(create_version(60), own))
    put("archive", pack(own))
    assert compare(stub_stack, own).state == "ok"
