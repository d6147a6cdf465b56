import re
from datetime import UTC, datetime
from typing import Any

import pytest

from local.emulator import patching
from local.emulator.firehose import configuration, ministack
from local.emulator.firehose.put_requests import RejectedRequestError
from testkit.emulator_harness import Emulator
from tests.emulator.firehose_streams import build_destination, build_processor, create_stream

TIME = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
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
    key = configuration.build_object_key(prefix, "stream-3", TIME)
    assert re.fullmatch(re.escape(f"{evaluated}stream-3-2026-03-04-05-06-07-") + r"[0-9a-f-]{36}", key)


def test_an_error_prefix_contains_the_type_of_error() -> None:
    key = configuration.build_object_key(f"errors/{ERROR}/!{{timestamp:yyyy}}/", "s-1", TIME, "processing-failed")
    assert key.startswith("errors/processing-failed/2026/s-1-")
    default = configuration.build_object_key(
        configuration.get_error_prefix("data/", ""), "s-1", TIME, "processing-failed"
    )
    assert default.startswith("data/processing-failed/2026/03/04/05/s-1-")


def test_keys_can_have_their_own_time_zone() -> None:
    destination = configuration.parse_configuration(build_destination("b", CustomTimeZone="Asia/Tokyo")).destination
    time = destination.convert_time(int(TIME.timestamp() * 1000))
    assert time.strftime("%d %H") == "04 14"


@pytest.mark.parametrize(
    "wrong",
    [
        {"BufferingHints": {"SizeInMBs": 0, "IntervalInSeconds": 0}},
        {"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 0}},
        {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 901}},
        {"BufferingHints": {"SizeInMBs": 1}},
        {"BufferingHints": {"SizeInMBs": "much", "IntervalInSeconds": 0}},
        {"S3BackupMode": "Enabled"},
        {"S3BackupMode": "Enabled", "S3BackupConfiguration": build_destination("b", 59)},
        {"CompressionFormat": "Snappy"},
        {"FileExtension": "gz"},
        {"CustomTimeZone": "Nowhere"},
        {"Prefix": "!{timestamp:yyyy}/"},
        {"Prefix": f"{ERROR}/", "ErrorOutputPrefix": f"{ERROR}/"},
        {"Prefix": "!{timestamp:EEE}/", "ErrorOutputPrefix": f"{ERROR}/"},
        {"Prefix": "!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": f"{ERROR}/"},
        {"ErrorOutputPrefix": "!{timestamp:yyyy}/"},
        {"ProcessingConfiguration": build_processor("arn", megabytes=0.1)},
        {"ProcessingConfiguration": build_processor("arn", megabytes=3.1)},
        {"ProcessingConfiguration": build_processor("arn", seconds=901)},
        {"ProcessingConfiguration": build_processor("")},
        {"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "Decompression"}]}},
    ],
)
def test_a_configuration_is_rejected_if_aws_rejects_it_or_the_emulator_does_not_support_it(
    wrong: dict[str, Any],
) -> None:
    configuration.parse_configuration(build_destination("b"))
    with pytest.raises(RejectedRequestError):
        configuration.parse_configuration({**build_destination("b"), **wrong})


def test_a_stream_is_checked_when_it_is_created(emulator: Emulator) -> None:
    firehose = emulator.client("firehose")
    with pytest.raises(firehose.exceptions.InvalidArgumentException):
        create_stream(emulator, "wrong", CompressionFormat="Snappy")


def test_ministack_delivers_all_other_streams() -> None:
    assert configuration.is_supported("ExtendedS3", "DirectPut", {})
    assert not configuration.is_supported("ExtendedS3", "KinesisStreamAsSource", {})
    assert not configuration.is_supported("HttpEndpoint", "DirectPut", {})
    assert not configuration.is_supported("S3", "DirectPut", {"DynamicPartitioningConfiguration": {"Enabled": True}})
    assert not configuration.is_supported(
        "S3", "DirectPut", {"DataFormatConversionConfiguration": {"SchemaConfiguration": {}}}
    )


def test_a_function_of_ministack_with_other_parameters_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    ministack.check_signatures()
    monkeypatch.setitem(ministack._CALLED_FUNCTIONS, "services.firehose._not_found", "name account")
    with pytest.raises(
        patching.UnexpectedMiniStackError, match="_not_found takes name, but the local Firehose expects"
    ):
        ministack.check_signatures()
