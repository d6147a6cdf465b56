"""Gaps in how API Gateway handles a request before and after the function.

- Routes are matched on the decoded path, so an id with `%2F` matches another route. On AWS the path is matched and
  passed on as the client sent it, and path parameters are decoded once.
- Requests have no size limit. On AWS it is 10 MB.
- The event lacks fields, and its request id is not the one in the response.
- `X-Forwarded-For` lacks the address that the request came from, and its first entry counts as that address.
- The access log is dropped (`gateway.access_log`).
- `MinimumCompressionSize` is stored and ignored. On AWS, API Gateway then compresses responses of at least that many
  bytes for clients that accept gzip, and decompresses requests.
"""

import contextvars
import gzip
import time
import zlib
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.core.responses import new_uuid
from ministack.services import apigateway_v1

from local.emulator.gateway import access_log, request_metrics
from local.emulator.patching import replace_function

REQUEST_LIMIT_BYTES = 10 * 1024 * 1024

_original = SimpleNamespace()
# The path and the raw path of the HTTP request, and the record of the request, each while it is handled.
_http_path: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("http_path", default=None)
_request: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("request")


async def _handle_http_request(host: str, path: str, *arguments: Any, raw_path: str | None = None, **named: Any) -> Any:
    token = _http_path.set((path, raw_path) if raw_path else None)
    try:
        return await _original.handle_http_request(host, path, *arguments, raw_path=raw_path, **named)
    finally:
        _http_path.reset(token)


def _find_raw_path(path: str) -> str:
    """Return the part of the path after the stage as the client sent it, not decoded."""
    http_path = _http_path.get()
    if http_path is None or not http_path[0].endswith(path):
        return path
    whole, raw = http_path
    prefix = whole[: len(whole) - len(path)]
    return raw[len(prefix) :] if raw.startswith(prefix) else path


async def _handle_request(  # noqa: PLR0913, PLR0917 - the signature is MiniStack's
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
    path = _find_raw_path(path)
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
        "started": time.time(),
    }
    token = _request.set(request)
    measures = request_metrics.begin()
    try:
        if request["stage"] is not None and len(body or b"") > REQUEST_LIMIT_BYTES:
            response = apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        else:
            response = await apigateway_v1._execute_in_scope(
                request, api_id, stage_name, method, path, headers, body, query, account, region
            )
    finally:
        _request.reset(token)
    if isinstance(response, apigateway_v1._GatewayError):
        rendered = apigateway_v1._gateway_error_response(response, request)
        access_log.write_line(request, rendered[0], rendered[2], response.response_type)
        request_metrics.record(request, rendered[0], measures)
        return rendered
    status, response_headers, response_body = response
    access_log.write_line(request, status, response_body)
    request_metrics.record(request, status, measures)
    return status, {**response_headers, "x-amzn-requestid": request["request_id"]}, response_body


async def _execute_request(request: dict[str, Any], api_id: str, *arguments: Any) -> Any:
    """Decompress the request, execute it, and compress the response, if the API has a minimum compression size."""
    minimum = (apigateway_v1._rest_apis.get(api_id) or {}).get("minimumCompressionSize")
    stage_name, method, path, headers, body, *rest = arguments
    if minimum is not None and body and headers.get("content-encoding", "").strip().lower() == "gzip":
        body = _decompress(body)
        if body is None:
            return apigateway_v1._gw_error("BAD_REQUEST_BODY", "Request body could not be unpacked")
        if len(body) > REQUEST_LIMIT_BYTES:
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        headers = {name: value for name, value in headers.items() if name != "content-encoding"}
    response = await _original.execute_request(request, api_id, stage_name, method, path, headers, body, *rest)
    if minimum is None or not isinstance(response, tuple) or "gzip" not in headers.get("accept-encoding", "").lower():
        return response
    status, response_headers, response_body = response
    if len(response_body) < int(minimum) or any(name.lower() == "content-encoding" for name in response_headers):
        return response
    return status, {**response_headers, "Content-Encoding": "gzip"}, gzip.compress(response_body, 1)


def _decompress(body: bytes) -> bytes | None:
    """Return the decompressed request, at most one byte above the limit, or None if it is not gzip."""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, REQUEST_LIMIT_BYTES + 1)
    except zlib.error:
        return None


def _match_resource(api_id: str, segments: list[str]) -> Any:
    resource, parameters = _original.match_resource(api_id, segments)
    return resource, {name: unquote(value) for name, value in (parameters or {}).items()}


def _match_greedy_resource(api_id: str, segments: list[str], method: str) -> Any:
    resource, parameters = _original.match_greedy_resource(api_id, segments, method)
    return resource, parameters and {name: unquote(value) for name, value in parameters.items()}


def _build_event(*arguments: Any, **named: Any) -> dict[str, Any]:
    event: dict[str, Any] = _original.build_event(*arguments, **named)
    request = _request.get()
    event.pop("version", None)
    event["requestContext"].update(
        requestId=request["request_id"],
        extendedRequestId=request["request_id"],
        domainName=str(request["headers"].get("host", "")).partition(":")[0],
        path=request["path"],
    )
    event["requestContext"]["identity"]["sourceIp"] = access_log.SOURCE_ADDRESS
    request["claims"] = (event["requestContext"].get("authorizer") or {}).get("claims") or {}
    forwarded_for = filter(None, [event["headers"].get("x-forwarded-for"), access_log.SOURCE_ADDRESS])
    event["headers"]["x-forwarded-for"] = ", ".join(forwarded_for)
    event["multiValueHeaders"]["x-forwarded-for"] = [event["headers"]["x-forwarded-for"]]
    return event


def patch() -> None:
    _original.handle_http_request = replace_function(
        app, "_handle_execute_api_request", "77a20f6d604b", _handle_http_request
    )
    replace_function(apigateway_v1, "_handle_execute_in_scope", "60ed5805557f", _handle_request)
    _original.execute_request = replace_function(apigateway_v1, "_execute_in_scope", "2ae72b7d5eb6", _execute_request)
    _original.match_resource = replace_function(apigateway_v1, "_match_resource_tree", "f07f88e8b49c", _match_resource)
    _original.match_greedy_resource = replace_function(
        apigateway_v1, "_match_greedy_fallback", "6ac79d39cdb9", _match_greedy_resource
    )
    _original.build_event = replace_function(apigateway_v1, "_build_lambda_event_v1", "c7ac97b91f6e", _build_event)
