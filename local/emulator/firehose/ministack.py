"""The functions of MiniStack that Firehose calls: the record of a stream, a put to S3, an invocation of a Lambda."""

import asyncio
import functools
import inspect
import os
import socket
import time
from dataclasses import dataclass
from typing import Any

from local.emulator.patching import UnexpectedMiniStackError

# Functions that are called but not replaced, and the parameters that they must have.
_CALLED_FUNCTIONS = {
    "app.call_service_handler_sync": "handler method path headers body query_params timeout",
    "services.s3.handle_request": "method path headers body query_params signed_path enforce_bucket_region internal "
    "access_point_region access_point",
    "services.lambda_svc._get_func_record_for_ref": "function_ref",
    "services.lambda_svc._execution_record_for_config": "func config",
    "services.lambda_svc._execute_function_with_config_scope": "func event",
    "services.firehose._not_found": "name",
    "core.responses.request_scope": "account_id region",
    "core.responses.error_response_json": "code message status extra message_key content_type",
}
_PUT_TIMEOUT_SECONDS = 120
_POLL_SECONDS = 0.05


@dataclass(frozen=True, order=True)
class StreamId:
    """The identity of a stream: its account, region and name."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:firehose:{self.region}:{self.account}:deliverystream/{self.name}"


class PutFailedError(Exception):
    """S3 did not accept an object."""


def import_module(name: str) -> Any:
    """Import a module of MiniStack late, because its modules read the environment variables at import."""
    return __import__(f"ministack.{name}", fromlist=["_"])


def check_signatures() -> None:
    """Raise UnexpectedMiniStackError if a function of MiniStack does not exist or has other parameters."""
    for path, expected in _CALLED_FUNCTIONS.items():
        module, _, name = path.rpartition(".")
        function = getattr(import_module(module), name, None)
        parameters = " ".join(inspect.signature(function).parameters) if function else "nothing"
        if parameters != expected:
            raise UnexpectedMiniStackError(
                f"MiniStack's {path} takes {parameters}, but the local Firehose expects {expected}."
            )


def get_current_stream_id(name: str) -> StreamId:
    """Return the id of the stream with this name, in the account and region of the current request."""
    responses = import_module("core.responses")
    return StreamId(responses.get_account_id(), responses.get_region(), name)


def get_stream_record(stream_id: StreamId) -> dict[str, Any] | None:
    """Return MiniStack's record of a stream, or None if it does not exist."""
    record: dict[str, Any] | None = import_module("services.firehose")._streams.get_scoped(
        stream_id.account, stream_id.region, stream_id.name
    )
    return record


def is_serving() -> bool:
    """Whether the event loop runs. MiniStack may still load its state: see `wait_until_ready`."""
    loop = import_module("app")._MAIN_LOOP
    return loop is not None and loop.is_running()


def wait_until_ready() -> None:
    """Wait until the event loop runs a task, which it does after MiniStack has loaded its state."""
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), import_module("app")._MAIN_LOOP).result()


def wait_for_server() -> None:
    """Wait until the emulator has its state and answers requests."""
    while not is_serving():
        time.sleep(_POLL_SECONDS)
    wait_until_ready()
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(os.environ["GATEWAY_PORT"])), 1).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return


def put_object(account: str, region: str, bucket: str, key: str, body: bytes) -> None:
    """Put an object on the event loop, with the same effects (events, replication, persistence) as a client's put.

    Raises PutFailedError.
    """
    if not is_serving():
        raise PutFailedError("the emulator is stopping")
    handler = functools.partial(import_module("services.s3").handle_request, internal=True)
    headers = {"content-type": "application/octet-stream", "content-length": str(len(body)), "host": "s3.localhost"}
    with import_module("core.responses").request_scope(account, region):
        status, _, response = import_module("app").call_service_handler_sync(
            handler, "PUT", f"/{bucket}/{key}", headers, body, {}, timeout=_PUT_TIMEOUT_SECONDS
        )
    if status != 200:
        raise PutFailedError(f"{status} {bytes(response)[:300]!r}")


def invoke_function(stream_id: StreamId, function: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """Invoke a function and wait for MiniStack's result (`body`, and `error` or `throttle`).

    Returns None if the function does not exist.
    """
    lambdas = import_module("services.lambda_svc")
    with import_module("core.responses").request_scope(stream_id.account, stream_id.region):
        record, config, _ = lambdas._get_func_record_for_ref(function)
        if not record or not config:
            return None
        execution_record = lambdas._execution_record_for_config(record, config)
        result: dict[str, Any] = lambdas._execute_function_with_config_scope(execution_record, event)
        return result
