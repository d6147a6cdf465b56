import re
from datetime import UTC, datetime
from typing import Any

import pytest

from local.emulator import expectation
from local.emulator.firehose import host, keys, settings
from local.emulator.firehose.limits import RefusedError
from tests.emulator.firehose_rig import lambda_processor, place, rig
from tests.emulator.harness import Emulator

MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ERROR = "!{firehose:error-output-type}"


@pytest.mark.parametrize(
    ("prefix", "evaluated"),
    [
        ("", "2026/03/04/05/"),
        ("plain/", "plain/2026/03/04/05/"),
        ("a/!{timestamp:yyyy/MM/dd/HH}/", "a/2026/03/04/05/"),
        ("!{timestamp:yyyy}!{timestamp:MM}/", "202603/"),
        ("!{timestamp:'day='yyyyMMdd'T'HHmmss}/", "day=20260304T050607/"),
    ],
)
def test_a_prefix_is_evaluated(prefix: str, evaluated: str) -> None:
    found = keys.object_key(prefix, "stream-3", MOMENT)
    assert re.fullmatch(re.escape(f"{evaluated}stream-3-2026-03-04-05-06-07-") + r"[0-9a-f-]{36}", found)


def test_an_error_prefix_names_the_kind_of_error() -> None:
    given = keys.object_key(f"errors/{ERROR}/!{{timestamp:yyyy}}/", "s-1", MOMENT, "processing-failed")
    assert given.startswith("errors/processing-failed/2026/s-1-")
    default = keys.object_key(keys.error_prefix_of("data/", ""), "s-1", MOMENT, "processing-failed")
    assert default.startswith("data/processing-failed/2026/03/04/05/s-1-")


def test_the_keys_may_have_a_time_zone_of_their_own() -> None:
    found = settings.read(place("b", CustomTimeZone="Asia/Tokyo")).destination.moment(int(MOMENT.timestamp() * 1000))
    assert found.strftime("%d %H") == "04 14"


@pytest.mark.parametrize(
    "wrong",
    [
        {"BufferingHints": {"SizeInMBs": 0, "IntervalInSeconds": 0}},
        {"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 0}},
        {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 901}},
        {"BufferingHints": {"SizeInMBs": 1}},
        {"BufferingHints": {"SizeInMBs": "much", "IntervalInSeconds": 0}},
        {"S3BackupMode": "Enabled"},
        {"S3BackupMode": "Enabled", "S3BackupConfiguration": place("b", 59)},
        {"CompressionFormat": "Snappy"},
        {"FileExtension": "gz"},
        {"CustomTimeZone": "Nowhere"},
        {"Prefix": "!{timestamp:yyyy}/"},
        {"Prefix": f"{ERROR}/", "ErrorOutputPrefix": f"{ERROR}/"},
        {"Prefix": "!{timestamp:EEE}/", "ErrorOutputPrefix": f"{ERROR}/"},
        {"Prefix": "!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": f"{ERROR}/"},
        {"ErrorOutputPrefix": "!{timestamp:yyyy}/"},
        {"ProcessingConfiguration": lambda_processor("arn", megabytes=0.1)},
        {"ProcessingConfiguration": lambda_processor("arn", megabytes=3.1)},
        {"ProcessingConfiguration": lambda_processor("arn", seconds=901)},
        {"ProcessingConfiguration": lambda_processor("")},
        {"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "Decompression"}]}},
    ],
)
def test_what_aws_refuses_or_the_local_stack_lacks_is_refused(wrong: dict[str, Any]) -> None:
    settings.read(place("b"))
    with pytest.raises(RefusedError):
        settings.read({**place("b"), **wrong})


def test_a_stream_is_checked_when_it_is_made(emulator: Emulator) -> None:
    firehose = emulator.client("firehose")
    with pytest.raises(firehose.exceptions.InvalidArgumentException):
        rig(emulator, "wrong", CompressionFormat="Snappy")


def test_other_streams_stay_with_ministack() -> None:
    assert settings.covers("ExtendedS3", "DirectPut", {})
    assert not settings.covers("ExtendedS3", "KinesisStreamAsSource", {})
    assert not settings.covers("HttpEndpoint", "DirectPut", {})
    assert not settings.covers("S3", "DirectPut", {"DynamicPartitioningConfiguration": {"Enabled": True}})
    assert not settings.covers("S3", "DirectPut", {"DataFormatConversionConfiguration": {"SchemaConfiguration": {}}})


def test_a_function_of_ministack_with_other_parameters_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    host.expect_calls()
    monkeypatch.setitem(host._CALLED, "services.firehose._not_found", "name account")
    with pytest.raises(expectation.UnexpectedError, match="_not_found takes name, and the local Firehose expects"):
        host.expect_calls()
