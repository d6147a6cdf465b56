"""What the Firehose asks of MiniStack: a stream's configuration, a put into S3, a call of a Lambda."""

import asyncio
import functools
import inspect
from dataclasses import dataclass
from typing import Any

from local.emulator.expectation import UnexpectedError

# What is called but not replaced, and the parameters it must have.
_CALLED = {
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
_PUT_SECONDS = 120


@dataclass(frozen=True, order=True)
class Scope:
    """One stream of one account and region."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:firehose:{self.region}:{self.account}:deliverystream/{self.name}"


class PutFailedError(Exception):
    """S3 did not take an object."""


def module(name: str) -> Any:
    """A module of MiniStack, imported late because its modules read the environment."""
    return __import__(f"ministack.{name}", fromlist=["_"])


def expect_calls() -> None:
    """Raises UnexpectedError where a function of MiniStack is gone or takes other parameters."""
    for path, parameters in _CALLED.items():
        where, _, name = path.rpartition(".")
        function = getattr(module(where), name, None)
        found = " ".join(inspect.signature(function).parameters) if function else "nothing"
        if found != parameters:
            raise UnexpectedError(f"MiniStack's {path} takes {found}, and the local Firehose expects {parameters}.")


def own_scope(name: str) -> Scope:
    """The stream of this name in the account and region of the request being answered."""
    responses = module("core.responses")
    return Scope(responses.get_account_id(), responses.get_region(), name)


def stream(scope: Scope) -> dict[str, Any] | None:
    """MiniStack's record of a stream."""
    found: dict[str, Any] | None = module("services.firehose")._streams.get_scoped(
        scope.account, scope.region, scope.name
    )
    return found


def is_serving() -> bool:
    """Whether the event loop runs. Until it has answered `greet`, state of an earlier run may still be loading."""
    loop = module("app")._MAIN_LOOP
    return loop is not None and loop.is_running()


def greet() -> None:
    """Wait until the event loop takes work, which is when MiniStack has loaded its state."""
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), module("app")._MAIN_LOOP).result()


def put_object(scope: Scope, bucket: str, key: str, body: bytes) -> None:
    """PutObject with all its consequences (events, replication, persistence), on the event loop as for any client.
    Raises PutFailedError."""
    if not is_serving():
        raise PutFailedError("the emulator is stopping")
    handler = functools.partial(module("services.s3").handle_request, internal=True)
    headers = {"content-type": "application/octet-stream", "content-length": str(len(body)), "host": "s3.localhost"}
    with module("core.responses").request_scope(scope.account, scope.region):
        status, _, answer = module("app").call_service_handler_sync(
            handler, "PUT", f"/{bucket}/{key}", headers, body, {}, timeout=_PUT_SECONDS
        )
    if status != 200:
        raise PutFailedError(f"{status} {bytes(answer)[:300]!r}")


def invoke(scope: Scope, function: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """MiniStack's result of a synchronous call (`body`, and `error` or `throttle`), or None without such a function."""
    lambdas = module("services.lambda_svc")
    with module("core.responses").request_scope(scope.account, scope.region):
        record, config, _ = lambdas._get_func_record_for_ref(function)
        if not record or not config:
            return None
        prepared = lambdas._execution_record_for_config(record, config)
        result: dict[str, Any] = lambdas._execute_function_with_config_scope(prepared, event)
        return result
