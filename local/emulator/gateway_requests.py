"""Gap: API Gateway's routes were matched on the decoded path, so that `%2F` in an id became another route, requests of
any size were taken, and the function was not told what it is told on AWS.

As on AWS the path is matched and handed on as sent, path parameters are decoded once, a request is at most 10 MB, and
its id is the same in the event and in the answer.
"""

import contextvars
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.core.responses import new_uuid
from ministack.services import apigateway_v1

from local.emulator.expectation import replace

_before = SimpleNamespace()
_sent: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("sent", default=None)
_request: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("request")

REQUEST_LIMIT = 10 * 1024 * 1024


async def _dispatch(host: str, path: str, *arguments: Any, raw_path: str | None = None, **named: Any) -> Any:
    token = _sent.set((path, raw_path) if raw_path else None)
    try:
        return await _before.dispatch(host, path, *arguments, raw_path=raw_path, **named)
    finally:
        _sent.reset(token)


def as_sent(path: str) -> str:
    """The part of the path behind the stage, not decoded."""
    sent = _sent.get()
    if sent is None or not sent[0].endswith(path):
        return path
    whole, raw = sent
    prefix = whole[: len(whole) - len(path)]
    return raw[len(prefix) :] if raw.startswith(prefix) else path


async def _handle(  # noqa: PLR0913, PLR0917 - the signature is MiniStack's
    api_id: str,
    stage_name: str,
    method: str,
    path: str,
    headers: Any,
    body: bytes,
    query: Any,
    account: str,
    region: str,
) -> Any:
    path = as_sent(path)
    request = {
        "api_id": api_id,
        "stage_name": stage_name,
        "stage": apigateway_v1._stages_v1.get(api_id, {}).get(stage_name),
        "headers": headers or {},
        "query_params": query or {},
        "path_params": {},
        "resource_path": "",
        "request_id": new_uuid(),
        "path": f"/{stage_name}{path}",
        "method": method,
    }
    token = _request.set(request)
    try:
        if request["stage"] is not None and len(body or b"") > REQUEST_LIMIT:
            answer = apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        else:
            answer = await apigateway_v1._execute_in_scope(
                request, api_id, stage_name, method, path, headers, body, query, account, region
            )
    finally:
        _request.reset(token)
    if isinstance(answer, apigateway_v1._GatewayError):
        return apigateway_v1._gateway_error_response(answer, request)
    status, answer_headers, answer_body = answer
    return status, {**answer_headers, "x-amzn-requestid": request["request_id"]}, answer_body


def _match(api_id: str, segments: list[str]) -> Any:
    resource, parameters = _before.match(api_id, segments)
    return resource, {name: unquote(value) for name, value in (parameters or {}).items()}


def _match_greedy(api_id: str, segments: list[str], method: str) -> Any:
    resource, parameters = _before.match_greedy(api_id, segments, method)
    return resource, parameters and {name: unquote(value) for name, value in parameters.items()}


def _event(*arguments: Any, **named: Any) -> dict[str, Any]:
    event: dict[str, Any] = _before.event(*arguments, **named)
    request = _request.get()
    event.pop("version", None)
    event["requestContext"].update(
        requestId=request["request_id"],
        extendedRequestId=request["request_id"],
        domainName=str(request["headers"].get("host", "")).partition(":")[0],
        path=request["path"],
    )
    return event


def patch() -> None:
    _before.dispatch = replace(app, "_handle_execute_api_request", "77a20f6d604b", _dispatch)
    replace(apigateway_v1, "_handle_execute_in_scope", "60ed5805557f", _handle)
    _before.match = replace(apigateway_v1, "_match_resource_tree", "f07f88e8b49c", _match)
    _before.match_greedy = replace(apigateway_v1, "_match_greedy_fallback", "6ac79d39cdb9", _match_greedy)
    _before.event = replace(apigateway_v1, "_build_lambda_event_v1", "c7ac97b91f6e", _event)
