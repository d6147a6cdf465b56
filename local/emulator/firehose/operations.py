"""Gap: MiniStack's Firehose writes one object per record. The package replaces its delivery.

MiniStack keeps the streams and all other operations.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

from local.emulator import patching
from local.emulator.durability import report
from local.emulator.firehose import configuration, metrics, ministack, put_requests
from local.emulator.firehose.configuration import StreamConfiguration
from local.emulator.firehose.dispatcher import Dispatcher
from local.emulator.firehose.put_requests import ForcedFaults, RejectedRequestError

_Data = dict[str, Any]
_Response = tuple[int, dict[str, str], bytes]

_FLUSH_TIMEOUT_SECONDS = 30.0

_logger = logging.getLogger("firehose.delivery")
_dispatchers: list[Dispatcher] = []


def patch() -> None:
    """Replace MiniStack's delivery. Call it once, before MiniStack serves. Needs STATE_DIR in the environment.

    Raises UnexpectedMiniStackError if MiniStack is not the one that this was written for.
    """
    patching.check_version()
    ministack.check_signatures()
    operations = Operations(Path(os.environ["STATE_DIR"]) / "firehose")
    firehose = ministack.import_module("services.firehose")
    handlers = firehose._HANDLERS
    for name, digest, replacement in (
        ("_put_record", "6a7ed0471aef", operations.put_record),
        ("_put_record_batch", "5e868d2aec51", operations.put_record_batch),
        ("_create_delivery_stream", "4d5903ac6582", operations.create_stream),
        ("_resolve_dest_type_and_config", "5626034defbc", operations.resolve_destination),
        ("_update_destination", "cbefb28cca81", operations.update_destination),
        ("_delete_delivery_stream", "ee690834a6f5", operations.delete_stream),
        ("reset", "e24aef1441d2", operations.reset),
    ):
        original = patching.replace_function(firehose, name, digest, replacement)
        operations.originals[name] = original
        handlers.update({action: replacement for action, handler in handlers.items() if handler is original})
    report.add("accepted records to deliver", operations.dispatcher.count_records())
    operations.dispatcher.start()
    _dispatchers.append(operations.dispatcher)


def flush_all() -> bool:
    """Deliver all buffered records. Wait at most 30 seconds, and 5 for jobs that only fail.

    Returns False if some records remain: they stay on disk. The server must still answer, and this must not run on its
    event loop.
    """
    return all(dispatcher.flush(_FLUSH_TIMEOUT_SECONDS) for dispatcher in _dispatchers)


def back_up_all() -> None:
    """Deliver soon what waits for its backup. A signal handler may call it."""
    for dispatcher in _dispatchers:
        dispatcher.back_up()


def measure_streams() -> None:
    """Store the gauges of each stream: its limits and the ages of its oldest records."""
    for dispatcher in _dispatchers:
        dispatcher.measure_streams()


class Operations:
    """The operations that are replaced. `originals` are MiniStack's functions by name."""

    def __init__(self, folder: Path) -> None:
        self.dispatcher = Dispatcher(folder, self._read_configuration)
        self._faults = ForcedFaults(folder / "faults.json")
        self.originals: dict[str, Any] = {}

    def put_record(self, data: _Data) -> Any:
        name, config = self._find_configuration(data)
        if config is None:
            return self.originals["_put_record"](data)
        try:
            payload = put_requests.read_record(data)
            if self._faults.select_failing_entries(name, 1) != set():
                metrics.count_put(ministack.get_current_stream_id(name), [], 1)
                raise put_requests.build_unavailable_error()
            ids = self._accept_records(name, [payload], config)
            metrics.count_put(ministack.get_current_stream_id(name), [payload], 0)
        except RejectedRequestError as error:
            return _build_error_response(error)
        return _build_response({"RecordId": ids[0], "Encrypted": False})

    def put_record_batch(self, data: _Data) -> Any:
        name, config = self._find_configuration(data)
        if config is None:
            return self.originals["_put_record_batch"](data)
        try:
            payloads = put_requests.read_records(data)
            failing = self._faults.select_failing_entries(name, len(payloads))
            if failing is None:
                metrics.count_put(ministack.get_current_stream_id(name), [], len(payloads))
                raise put_requests.build_unavailable_error()
            accepted = [payload for position, payload in enumerate(payloads) if position not in failing]
            ids = iter(self._accept_records(name, accepted, config) if accepted else [])
            metrics.count_put(ministack.get_current_stream_id(name), accepted, len(failing))
        except RejectedRequestError as error:
            return _build_error_response(error)
        unavailable = put_requests.build_unavailable_error()
        failure = {"ErrorCode": unavailable.code, "ErrorMessage": str(unavailable)}
        responses = [failure if position in failing else {"RecordId": next(ids)} for position in range(len(payloads))]
        return _build_response({"FailedPutCount": len(failing), "Encrypted": False, "RequestResponses": responses})

    def create_stream(self, data: _Data) -> Any:
        try:
            return self.originals["_create_delivery_stream"](data)
        except RejectedRequestError as error:
            return _build_error_response(error)

    def resolve_destination(self, data: _Data) -> tuple[str | None, _Data | None]:
        """Check the configuration of CreateDeliveryStream and of CloudFormation's update.

        Raises RejectedRequestError, which CloudFormation shows as the reason of its failure.
        """
        destination_type, config = self.originals["_resolve_dest_type_and_config"](data)
        source = data.get("DeliveryStreamType", "DirectPut")
        if config is not None and configuration.is_supported(destination_type, source, config):
            configuration.parse_configuration(config)
        return destination_type, config

    def update_destination(self, data: _Data) -> Any:
        name = str(data.get("DeliveryStreamName", ""))
        record = ministack.get_stream_record(ministack.get_current_stream_id(name))
        change = data.get("ExtendedS3DestinationUpdate") or data.get("S3DestinationUpdate")
        if record and change:
            old = record["destinations"][0]["config"] if record["destinations"] else {}
            try:
                _check_update(record["type"], old, change)
            except RejectedRequestError as error:
                return _build_error_response(error)
        return self.originals["_update_destination"](data)

    def delete_stream(self, data: _Data) -> Any:
        stream_id = ministack.get_current_stream_id(data.get("DeliveryStreamName", ""))
        response = self.originals["_delete_delivery_stream"](data)
        if response[0] == 200:
            self.dispatcher.delete_stream(stream_id)
        return response

    def reset(self) -> None:
        self.originals["reset"]()
        self.dispatcher.delete_all_streams()

    def _find_configuration(self, data: _Data) -> tuple[str, StreamConfiguration | None]:
        """Return the name of the request's stream, and its configuration if this package delivers the stream."""
        name = str(data.get("DeliveryStreamName", ""))
        config = self._read_configuration(ministack.get_current_stream_id(name))
        return name, config[0] if config else None

    def _read_configuration(self, stream_id: ministack.StreamId) -> tuple[StreamConfiguration, int] | None:
        record = ministack.get_stream_record(stream_id)
        if not record or not record["destinations"]:
            return None
        destination = record["destinations"][0]
        if not configuration.is_supported(destination["type"], record["type"], destination["config"]):
            return None
        return configuration.parse_configuration(destination["config"]), int(record["version"])

    def _accept_records(self, name: str, payloads: list[bytes], config: StreamConfiguration) -> list[str]:
        stream = self.dispatcher.get_stream(ministack.get_current_stream_id(name))
        try:
            return stream.accept_records(payloads, config)
        except OSError as error:
            _logger.exception("%s: records could not be stored", name)
            raise put_requests.build_unavailable_error() from error


def _check_update(source: str, old: _Data, change: _Data) -> None:
    if configuration.is_supported("ExtendedS3", source, {**old, **change}):
        configuration.parse_configuration({**old, **change})
    if old.get("S3BackupMode") == "Enabled" and change.get("S3BackupMode") == "Disabled":
        raise RejectedRequestError("InvalidArgumentException", "S3BackupMode cannot be disabled once it is enabled")


def _build_response(data: _Data) -> _Response:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(data).encode()


def _build_error_response(error: RejectedRequestError) -> Any:
    return ministack.import_module("core.responses").error_response_json(error.code, str(error), error.status)
