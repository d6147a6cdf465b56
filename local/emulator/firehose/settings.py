"""A stream's destination configuration, read and checked. CloudFormation gives numbers as text where they come from
a parameter, so every number and boolean is taken in both forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.emulator.firehose import keys
from local.emulator.firehose.limits import RefusedError, constraint

_MEGABYTE = 1024 * 1024
_EXTENSION = re.compile(r"\.[0-9a-z!\-_.*'()]+")
_PREFIXES = ("Prefix", "ErrorOutputPrefix")


@dataclass(frozen=True)
class Hints:
    """A buffer is full at `size` bytes, and due `seconds` after its first record."""

    size: int
    seconds: int


@dataclass(frozen=True)
class Place:
    """Where objects go, and how: `extension` is the whole end of their keys."""

    bucket: str
    prefix: str
    error_prefix: str
    gzip: bool
    extension: str
    zone: str
    hints: Hints

    def moment(self, milliseconds: int) -> datetime:
        """A time since the epoch, in the time zone of the keys."""
        return datetime.fromtimestamp(milliseconds / 1000, ZoneInfo(self.zone))


@dataclass(frozen=True)
class Transform:
    function: str
    retries: int
    hints: Hints


@dataclass(frozen=True)
class Settings:
    destination: Place
    backup: Place | None
    transform: Transform | None


def covers(kind: str, source: str, config: Mapping[str, Any]) -> bool:
    """Whether this package delivers such a stream; MiniStack itself keeps the other ones."""
    extras = (config.get("DataFormatConversionConfiguration"), config.get("DynamicPartitioningConfiguration"))
    if any(extra and _true(extra.get("Enabled", True)) for extra in extras):
        return False
    return kind in ("ExtendedS3", "S3") and source == "DirectPut"


def read(config: Mapping[str, Any]) -> Settings:
    """Raises RefusedError where AWS would refuse the configuration, or where a part of it is not emulated."""
    given = {**config.get("S3BackupConfiguration", {}), **config.get("S3BackupUpdate", {})}
    backup = None
    if config.get("S3BackupMode", "Disabled") == "Enabled":
        if not given:
            raise RefusedError("InvalidArgumentException", "S3BackupConfiguration is needed with S3BackupMode Enabled")
        backup = _place(given, "s3BackupConfiguration", 60)
    return Settings(_place(config, "extendedS3DestinationConfiguration", 0), backup, _transform(config))


def _place(config: Mapping[str, Any], member: str, shortest: int) -> Place:
    compression = config.get("CompressionFormat") or "UNCOMPRESSED"
    if compression not in ("UNCOMPRESSED", "GZIP"):
        raise RefusedError("InvalidArgumentException", f"the local stack does not emulate compression {compression}")
    prefix, error_prefix = (config.get(name) or "" for name in _PREFIXES)
    keys.check(prefix, error_prefix)
    extension = config.get("FileExtension") or (".gz" if compression == "GZIP" else "")
    if extension and not _EXTENSION.fullmatch(extension):
        raise constraint(
            f"{member}.fileExtension", extension, f"satisfy regular expression pattern: {_EXTENSION.pattern}"
        )
    zone = config.get("CustomTimeZone") or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError):
        raise RefusedError("InvalidArgumentException", f"the time zone {zone} is not known") from None
    bucket = str(config.get("BucketARN", "")).rpartition(":")[2]
    hints = _hints(config.get("BufferingHints") or {}, f"{member}.bufferingHints", shortest)
    error_prefix = keys.error_prefix_of(prefix, error_prefix)
    return Place(bucket, prefix, error_prefix, compression == "GZIP", extension, zone, hints)


def _hints(given: Mapping[str, Any], member: str, shortest: int) -> Hints:
    if len(given) == 1:
        raise RefusedError("InvalidArgumentException", "SizeInMBs and IntervalInSeconds must be given together")
    size = _number(given.get("SizeInMBs", 5), f"{member}.sizeInMBs", 1, 128)
    return Hints(
        int(size) * _MEGABYTE,
        int(_number(given.get("IntervalInSeconds", 300), f"{member}.intervalInSeconds", shortest, 900)),
    )


def _transform(config: Mapping[str, Any]) -> Transform | None:
    processing = config.get("ProcessingConfiguration") or {}
    processors = processing.get("Processors") or []
    if not _true(processing.get("Enabled", False)) or not processors:
        return None
    if [processor.get("Type") for processor in processors] != ["Lambda"]:
        raise RefusedError("InvalidArgumentException", "the local stack emulates exactly one processor, a Lambda")
    given = {entry["ParameterName"]: entry["ParameterValue"] for entry in processors[0].get("Parameters") or []}
    if not given.get("LambdaArn"):
        raise RefusedError("InvalidArgumentException", "a Lambda processor needs the parameter LambdaArn")
    return Transform(
        str(given["LambdaArn"]),
        int(_number(given.get("NumberOfRetries", 3), "numberOfRetries", 0, 300)),
        Hints(
            int(_number(given.get("BufferSizeInMBs", 1), "bufferSizeInMBs", 0.2, 3) * _MEGABYTE),
            int(_number(given.get("BufferIntervalInSeconds", 60), "bufferIntervalInSeconds", 0, 900)),
        ),
    )


def _number(value: Any, member: str, lowest: float, highest: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise constraint(member, value, "be a number") from None
    if number < lowest:
        raise constraint(member, value, f"have value greater than or equal to {lowest:g}")
    if number > highest:
        raise constraint(member, value, f"have value less than or equal to {highest:g}")
    return number


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
