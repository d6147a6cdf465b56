"""The transform: writes go on as lines, and what is none goes to the error prefix as it came."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.loopback import Loopback
from tests.unit.requesting import Context
from tests.unit.test_normalising import line


@pytest.fixture(autouse=True)
def _imported(aws: Loopback) -> None:
    """The handlers are imported."""


def invoke_transform(event: dict[str, Any]) -> dict[str, Any]:
    from sluice.handlers.transform import handle  # noqa: PLC0415

    return handle(event, Context())


def transformed(*records: bytes) -> list[dict[str, Any]]:
    sent = [
        {"recordId": str(number), "approximateArrivalTimestamp": 0, "data": base64.b64encode(record).decode()}
        for number, record in enumerate(records)
    ]
    answer = invoke_transform({"invocationId": "invocation", "records": sent})
    assert answer.keys() == {"records"}
    assert [record["recordId"] for record in answer["records"]] == [record["recordId"] for record in sent]
    return list(answer["records"])


def data(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["data"])


@pytest.mark.parametrize(
    ("received", "goes"),
    [
        (line("A"), line("A")),
        (line("A")[:-1], line("A")),
        (line("A") + b"\n\n", line("A")),
        (b"\n" + line("A"), line("A")),
        (line("A") + line("B"), line("A") + line("B")),
        (line("A") + line("B")[:-1], line("A") + line("B")),
        (line("A") + b"\n" + line("B"), line("A") + line("B")),
    ],
)
def test_writes_go_on_with_one_line_end_each(received: bytes, goes: bytes) -> None:
    (answer,) = transformed(received)
    assert (answer["result"], data(answer)) == ("Ok", goes)


def changed(old: bytes, new: bytes) -> bytes:
    assert old in line("EDDB")
    return line("EDDB").replace(old, new)


NO_WRITES = {
    "nothing": b"",
    "only line ends": b"\n\n",
    "blanks": b"  ",
    "text": b"hello\n",
    "cut short": line("EDDB")[:-3],
    "an array": b"[]\n",
    "another object": b'{"a":1}\n',
    "no utf-8": changed(b"EDDB", b"\xff\xfe"),
    "version": changed(b"01JD0000000000000000000000", b"1"),
    "version too great": changed(b"01JD0", b"81JD0"),
    "collection": changed(b"things", b"Air ports"),
    "id": changed(b"EDDB", b"a b"),
    "id too long": changed(b"EDDB", b"x" * 129),
    "operation": changed(b'"delete"', b'"patch"'),
    "owner": changed(b'"owner":""', b'"owner":"a b"'),
    "owner too long": changed(b'"owner":""', b'"owner":"%s"' % (b"x" * 129)),
    "no zone": changed(b"00Z", b"00"),
    "schema": changed(b'"schema":1', b'"schema":0'),
    "a field too many": changed(b'"schema":1', b'"schema":1,"more":2'),
    "a field too few": changed(b'"schema":1,', b""),
    "data of a delete": changed(b'"data":null', b'"data":{}'),
    "no data of a put": changed(b'"delete"', b'"put"'),
    "data that is no object": changed(b'"delete"', b'"put"').replace(b'"data":null', b'"data":[]'),
    "nested without end": changed(b'"data":null', b'"data":%s%s' % (b"[" * 200_000, b"]" * 200_000)),
    "lines": b"hello\n" + line("EDDB")[:-3] + b"\n",
}


@pytest.mark.parametrize("received", NO_WRITES.values(), ids=NO_WRITES)
def test_what_is_no_write_is_failed_as_it_came(received: bytes) -> None:
    (answer,) = transformed(received)
    assert (answer["result"], data(answer)) == ("ProcessingFailed", received)


def test_a_mixture_keeps_its_order(lines: Callable[[], list[dict[str, Any]]]) -> None:
    records = [line("A"), *NO_WRITES.values(), line("B")[:-1], line("C") + line("D")]
    answers = transformed(*records)
    failed = ["ProcessingFailed"] * len(NO_WRITES)
    assert [answer["result"] for answer in answers] == ["Ok", *failed, "Ok", "Ok"]
    assert [data(answer) for answer in answers] == [line("A"), *NO_WRITES.values(), line("B"), line("C") + line("D")]
    (logged,) = lines()
    assert (logged["invocation"], logged["records"], logged["failed"]) == ("invocation", len(records), len(NO_WRITES))


@pytest.mark.parametrize(
    "received",
    [
        line("A") + b"hello\n" + line("B"),
        b"hello\n" + line("A") + line("B"),
        line("A") + line("B") + changed(b"EDDB", b"a b"),
        line("A") + line("X")[:-3] + b"\n" + line("B")[:-1],
    ],
)
def test_a_line_that_is_no_write_does_not_take_its_neighbours_along(
    lines: Callable[[], list[dict[str, Any]]], received: bytes
) -> None:
    answer, _ = transformed(received, line("C"))
    assert (answer["result"], data(answer)) == ("Ok", line("A") + line("B"))
    (logged,) = lines()
    assert (logged["records"], logged["failed"], logged["lines_failed"]) == (2, 1, 1)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([line("A"), line("B")[:-1], b"", b"hello"]), max_size=6), max_size=6))
def test_an_answer_is_no_larger_than_what_was_asked(records: list[list[bytes]]) -> None:
    """Firehose asks with up to 6 MB, which is also what the answer may have."""
    sent = [
        {
            "recordId": str(number),
            "approximateArrivalTimestamp": 1732400000000,
            "data": base64.b64encode(joined).decode(),
        }
        for number, joined in enumerate(b"\n".join(some) for some in records)
    ]
    answer = invoke_transform({"invocationId": "invocation", "records": sent})
    assert len(json.dumps(answer)) <= len(json.dumps({"invocationId": "invocation", "records": sent}))


def test_no_records_are_no_answers() -> None:
    assert transformed() == []
