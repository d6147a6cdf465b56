"""Put this Firehose in place of MiniStack's delivery. MiniStack keeps the streams and all other operations."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from local.emulator import expectation
from local.emulator.firehose import host, limits, settings
from local.emulator.firehose.dispatcher import Dispatcher
from local.emulator.firehose.faults import Faults
from local.emulator.firehose.limits import RefusedError

_log = logging.getLogger("firehose.delivery")
_Data = dict[str, Any]
_Response = tuple[int, dict[str, str], bytes]


class Operations:
    """The operations that are replaced. `original` is MiniStack's firehose module as it was, by function name."""

    def __init__(self, folder: Path) -> None:
        self.dispatcher = Dispatcher(folder, self._configuration)
        self._faults = Faults(folder / "faults.json")
        self.original: dict[str, Any] = {}

    def put_record(self, data: _Data) -> Any:
        name, configured = self._configured(data)
        if configured is None:
            return self.original["_put_record"](data)
        try:
            payload = limits.record(data)
            if self._faults.failing(name, 1) != set():
                raise limits.unavailable()
            ids = self._accept(host.own_scope(name), [payload], configured[0])
        except RefusedError as refused:
            return _refusal(refused)
        return _answer({"RecordId": ids[0], "Encrypted": False})

    def put_record_batch(self, data: _Data) -> Any:
        name, configured = self._configured(data)
        if configured is None:
            return self.original["_put_record_batch"](data)
        try:
            payloads = limits.records(data)
            failing = self._faults.failing(name, len(payloads))
            if failing is None:
                raise limits.unavailable()
            accepted = [payload for position, payload in enumerate(payloads) if position not in failing]
            ids = iter(self._accept(host.own_scope(name), accepted, configured[0]) if accepted else [])
        except RefusedError as refused:
            return _refusal(refused)
        failure = {"ErrorCode": limits.unavailable().code, "ErrorMessage": str(limits.unavailable())}
        responses = [failure if position in failing else {"RecordId": next(ids)} for position in range(len(payloads))]
        return _answer({"FailedPutCount": len(failing), "Encrypted": False, "RequestResponses": responses})

    def create(self, data: _Data) -> Any:
        try:
            return self.original["_create_delivery_stream"](data)
        except RefusedError as refused:
            return _refusal(refused)

    def resolve(self, data: _Data) -> tuple[str | None, _Data | None]:
        """Checks what CreateDeliveryStream and CloudFormation's update configure. Raises RefusedError, which
        CloudFormation shows as the reason of its failure."""
        kind, config = self.original["_resolve_dest_type_and_config"](data)
        if config is not None and settings.covers(kind, data.get("DeliveryStreamType", "DirectPut"), config):
            settings.read(config)
        return kind, config

    def update(self, data: _Data) -> Any:
        found = host.stream(host.own_scope(str(data.get("DeliveryStreamName", ""))))
        change = data.get("ExtendedS3DestinationUpdate") or data.get("S3DestinationUpdate")
        if found and change:
            old = found["destinations"][0]["config"] if found["destinations"] else {}
            try:
                _check_update(found["type"], old, change)
            except RefusedError as refused:
                return _refusal(refused)
        return self.original["_update_destination"](data)

    def delete(self, data: _Data) -> Any:
        scope = host.own_scope(data.get("DeliveryStreamName", ""))
        response = self.original["_delete_delivery_stream"](data)
        if response[0] == 200:
            self.dispatcher.forget(scope)
        return response

    def reset(self) -> None:
        self.original["reset"]()
        self.dispatcher.forget_all()

    def _configured(self, data: _Data) -> tuple[str, tuple[settings.Settings, int] | None]:
        name = str(data.get("DeliveryStreamName", ""))
        return name, self._configuration(host.own_scope(name))

    def _configuration(self, scope: host.Scope) -> tuple[settings.Settings, int] | None:
        found = host.stream(scope)
        destination = found["destinations"][0] if found and found["destinations"] else None
        if (
            not found
            or not destination
            or not settings.covers(destination["type"], found["type"], destination["config"])
        ):
            return None
        return settings.read(destination["config"]), int(found["version"])

    def _accept(self, scope: host.Scope, payloads: list[bytes], configured: settings.Settings) -> list[str]:
        try:
            return self.dispatcher.stream(scope).accept(payloads, configured)
        except OSError as error:
            _log.exception("%s: records could not be kept", scope.name)
            raise limits.unavailable() from error


def install(folder: Path) -> Dispatcher:
    """Raises UnexpectedError when MiniStack is another one than this was written for."""
    expectation.expect_version()
    host.expect_calls()
    operations = Operations(folder)
    firehose = host.module("services.firehose")
    handlers = firehose._HANDLERS
    for name, digest, new in (
        ("_put_record", "6a7ed0471aef", operations.put_record),
        ("_put_record_batch", "5e868d2aec51", operations.put_record_batch),
        ("_create_delivery_stream", "4d5903ac6582", operations.create),
        ("_resolve_dest_type_and_config", "5626034defbc", operations.resolve),
        ("_update_destination", "cbefb28cca81", operations.update),
        ("_delete_delivery_stream", "ee690834a6f5", operations.delete),
        ("reset", "e24aef1441d2", operations.reset),
    ):
        old = expectation.replace(firehose, name, digest, new)
        operations.original[name] = old
        handlers.update({action: new for action, handler in handlers.items() if handler is old})
    operations.dispatcher.start()
    return operations.dispatcher


def folder() -> Path:
    """Where the spools and the file of forced faults are."""
    return Path(os.environ["STATE_DIR"]) / "firehose"


def _check_update(source: str, old: _Data, change: _Data) -> None:
    if settings.covers("ExtendedS3", source, {**old, **change}):
        settings.read({**old, **change})
    if old.get("S3BackupMode") == "Enabled" and change.get("S3BackupMode") == "Disabled":
        raise RefusedError("InvalidArgumentException", "S3BackupMode cannot be disabled once it is enabled")


def _answer(data: _Data) -> _Response:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(data).encode()


def _refusal(refused: RefusedError) -> Any:
    return host.module("core.responses").error_response_json(refused.code, str(refused), refused.status)
