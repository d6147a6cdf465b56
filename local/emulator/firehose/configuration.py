"""The configuration of a stream's destination: it is checked, and gives buffers, transform and keys of objects.

CloudFormation passes a number as text if it comes from a parameter, so numbers and booleans are accepted in both forms.
"""

import re
import secrets
import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.emulator.firehose.put_requests import RejectedRequestError, build_constraint_error

_MEGABYTE = 1024 * 1024
_EXTENSION = re.compile(r"\.[0-9a-z!\-_.*'()]+")
_EXPRESSION = re.compile(r"!\{([^:}]*):([^}]*)\}")
_TIMESTAMP_PART = re.compile(r"yyyy|MM|dd|HH|mm|ss|'[^']*'|[^A-Za-z']+")
_STRFTIME = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_DEFAULT_TIMESTAMP = "yyyy/MM/dd/HH/"
_ERROR_TYPE = "!{firehose:error-output-type}"


@dataclass(frozen=True)
class BufferingHints:
    """A buffer is full at `size_bytes`, and due `interval_seconds` after its first record."""

    size_bytes: int
    interval_seconds: int


@dataclass(frozen=True)
class Destination:
    """Where objects go, and in which form. `extension` is the whole end of their keys."""

    bucket: str
    prefix: str
    error_prefix: str
    gzip: bool
    extension: str
    time_zone: str
    hints: BufferingHints

    def convert_time(self, milliseconds: int) -> datetime:
        """Convert milliseconds since the epoch to a time in the time zone of the keys."""
        return datetime.fromtimestamp(milliseconds / 1000, ZoneInfo(self.time_zone))


@dataclass(frozen=True)
class Transform:
    """The transform Lambda, and the records of one call of it."""

    function: str
    retries: int
    hints: BufferingHints


@dataclass(frozen=True)
class StreamConfiguration:
    destination: Destination
    backup: Destination | None
    transform: Transform | None


def is_supported(destination_type: str, source: str, config: Mapping[str, Any]) -> bool:
    """Whether this package delivers such a stream. MiniStack delivers all others."""
    extras = (config.get("DataFormatConversionConfiguration"), config.get("DynamicPartitioningConfiguration"))
    if any(extra and _is_true(extra.get("Enabled", True)) for extra in extras):
        return False
    return destination_type in ("ExtendedS3", "S3") and source == "DirectPut"


def parse_configuration(config: Mapping[str, Any]) -> StreamConfiguration:
    """Raise RejectedRequestError if AWS rejects the configuration, or if the emulator does not support a part of it."""
    backup_config = {**config.get("S3BackupConfiguration", {}), **config.get("S3BackupUpdate", {})}
    backup = None
    if config.get("S3BackupMode", "Disabled") == "Enabled":
        if not backup_config:
            raise _reject("S3BackupConfiguration is needed with S3BackupMode Enabled")
        backup = _parse_destination(backup_config, "s3BackupConfiguration", 60)
    destination = _parse_destination(config, "extendedS3DestinationConfiguration", 0)
    return StreamConfiguration(destination, backup, _parse_transform(config))


def _parse_destination(config: Mapping[str, Any], member: str, min_interval: int) -> Destination:
    compression = config.get("CompressionFormat") or "UNCOMPRESSED"
    if compression not in ("UNCOMPRESSED", "GZIP"):
        raise _reject(f"the local stack does not emulate compression {compression}")
    prefix, error_prefix = config.get("Prefix") or "", config.get("ErrorOutputPrefix") or ""
    _check_prefixes(prefix, error_prefix)
    extension = config.get("FileExtension") or (".gz" if compression == "GZIP" else "")
    if extension and not _EXTENSION.fullmatch(extension):
        rule = f"satisfy regular expression pattern: {_EXTENSION.pattern}"
        raise build_constraint_error(f"{member}.fileExtension", extension, rule)
    time_zone = config.get("CustomTimeZone") or "UTC"
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError):
        raise _reject(f"the time zone {time_zone} does not exist") from None
    return Destination(
        bucket=str(config.get("BucketARN", "")).rpartition(":")[2],
        prefix=prefix,
        error_prefix=get_error_prefix(prefix, error_prefix),
        gzip=compression == "GZIP",
        extension=extension,
        time_zone=time_zone,
        hints=_parse_hints(config.get("BufferingHints") or {}, f"{member}.bufferingHints", min_interval),
    )


def _parse_hints(hints: Mapping[str, Any], member: str, min_interval: int) -> BufferingHints:
    if len(hints) == 1:
        raise _reject("SizeInMBs and IntervalInSeconds must be given together")
    size = _parse_number(hints.get("SizeInMBs", 5), f"{member}.sizeInMBs", 1, 128)
    interval = _parse_number(hints.get("IntervalInSeconds", 300), f"{member}.intervalInSeconds", min_interval, 900)
    return BufferingHints(int(size) * _MEGABYTE, int(interval))


def _parse_transform(config: Mapping[str, Any]) -> Transform | None:
    processing = config.get("ProcessingConfiguration") or {}
    processors = processing.get("Processors") or []
    if not _is_true(processing.get("Enabled", False)) or not processors:
        return None
    if [processor.get("Type") for processor in processors] != ["Lambda"]:
        raise _reject("the local stack emulates exactly one processor, a Lambda")
    parameters = {entry["ParameterName"]: entry["ParameterValue"] for entry in processors[0].get("Parameters") or []}
    if not parameters.get("LambdaArn"):
        raise _reject("a Lambda processor needs the parameter LambdaArn")
    size = _parse_number(parameters.get("BufferSizeInMBs", 1), "bufferSizeInMBs", 0.2, 3)
    interval = _parse_number(parameters.get("BufferIntervalInSeconds", 60), "bufferIntervalInSeconds", 0, 900)
    return Transform(
        str(parameters["LambdaArn"]),
        int(_parse_number(parameters.get("NumberOfRetries", 3), "numberOfRetries", 0, 300)),
        BufferingHints(int(size * _MEGABYTE), int(interval)),
    )


def _parse_number(value: Any, member: str, lowest: float, highest: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise build_constraint_error(member, value, "be a number") from None
    if number < lowest:
        raise build_constraint_error(member, value, f"have value greater than or equal to {lowest:g}")
    if number > highest:
        raise build_constraint_error(member, value, f"have value less than or equal to {highest:g}")
    return number


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _check_prefixes(prefix: str, error_prefix: str) -> None:
    """Raise RejectedRequestError if AWS rejects the two prefixes, or if a pattern is not emulated."""
    for text in (prefix, error_prefix):
        for namespace, value in _EXPRESSION.findall(text):
            if namespace == "timestamp":
                _format_time(value, datetime.now(UTC))
            elif (namespace, value) not in (("firehose", "random-string"), ("firehose", "error-output-type")):
                raise _reject(f"the expression !{{{namespace}:{value}}} is not supported")
    if _ERROR_TYPE in prefix:
        raise _reject(f"Prefix cannot contain {_ERROR_TYPE}")
    if _EXPRESSION.search(prefix) and not error_prefix:
        raise _reject("ErrorOutputPrefix cannot be empty when Prefix contains expressions")
    if _EXPRESSION.search(error_prefix) and _ERROR_TYPE not in error_prefix:
        raise _reject(f"ErrorOutputPrefix must contain {_ERROR_TYPE}")


def get_error_prefix(prefix: str, error_prefix: str) -> str:
    """Return the effective error prefix. Its default is the prefix of the data, followed by the type of error."""
    return error_prefix or f"{prefix}{_ERROR_TYPE}/"


def build_object_key(prefix: str, stream: str, time: datetime, error_type: str = "") -> str:
    """Build the key of an object, without extension: evaluated prefix, stream, time and UUID.

    `stream` is the stream's name and version, `time` the arrival of the oldest record in the object, `error_type` the
    value of error-output-type in an error prefix.
    """
    return f"{_evaluate_prefix(prefix, time, error_type)}{stream}-{time:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"


def _evaluate_prefix(prefix: str, time: datetime, error_type: str) -> str:
    def evaluate(match: re.Match[str]) -> str:
        if match[1] == "timestamp":
            return _format_time(match[2], time)
        return error_type if match[2] == "error-output-type" else _random_string()

    evaluated = _EXPRESSION.sub(evaluate, prefix)
    return evaluated if "!{timestamp:" in prefix else evaluated + _format_time(_DEFAULT_TIMESTAMP, time)


def _format_time(pattern: str, time: datetime) -> str:
    parts = _TIMESTAMP_PART.findall(pattern)
    if "".join(parts) != pattern:
        raise _reject(f"the local stack supports yyyy, MM, dd, HH, mm and ss in a timestamp, not {pattern!r}")
    return "".join(
        time.strftime(_STRFTIME[part]) if part in _STRFTIME else part.strip("'") or part.replace("''", "'")
        for part in parts
    )


def _random_string() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(11))


def _reject(message: str) -> RejectedRequestError:
    return RejectedRequestError("InvalidArgumentException", message)
