"""Gaps in what API Gateway responds when a function returns no usable response.

- A 502 contains the text of the exception.
- The client gets the error of a throttled function unchanged.
- API Gateway waits for a slow function without a timeout.
- A customized DEFAULT_4XX or DEFAULT_5XX does not change the status of the responses that it stands for.
"""

import asyncio
import json
import re
import time
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import apigateway_v1

from local.emulator.functions.bootstrap import RESPONSE_LIMIT_BYTES
from local.emulator.gateway import request_metrics
from local.emulator.patching import replace_function

INTEGRATION_TIMEOUT_MILLISECONDS = 29_000
INTERNAL_ERROR_MESSAGE = "Internal server error"

_original = SimpleNamespace()


class IntegrationError(Exception):
    """A function returned no usable response.

    `response_type` is the type of the gateway response, `status` its status unless it is customized.
    """

    def __init__(self, response_type: str, status: int) -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status


def _read_proxy_response(result: dict[str, Any]) -> tuple[dict[str, Any], None]:
    """Return the function's response if it has the form that API Gateway expects. Raises IntegrationError."""
    if result.get("throttle"):
        raise IntegrationError("INTEGRATION_FAILURE", 500)
    response = result.get("body")
    if (
        result.get("error")
        or not isinstance(response, dict)
        or not re.fullmatch(r"[1-5]\d\d", str(response.get("statusCode", "")))
        or not isinstance(response.get("headers") or {}, dict)
        or not isinstance(response.get("body") or "", str)
    ):
        raise IntegrationError("DEFAULT_5XX", 502)
    return {**response, "statusCode": int(response["statusCode"]), "body": response.get("body") or ""}, None


async def invoke_proxy(integration: dict[str, Any], *arguments: Any, **named: Any) -> Any:
    """Invoke the function of an integration and return its response or a gateway error."""
    if len(arguments[7] or b"") > RESPONSE_LIMIT_BYTES:
        return _build_error("REQUEST_TOO_LARGE", "Request Too Long")
    task = asyncio.ensure_future(_original.invoke_proxy(integration, *arguments, **named))
    # After a timeout the function continues and nobody awaits the task: read its exception, or asyncio logs it.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    started = time.perf_counter()
    await asyncio.wait({task}, timeout=(integration.get("timeoutInMillis") or INTEGRATION_TIMEOUT_MILLISECONDS) / 1000)
    request_metrics.note("IntegrationLatency", (time.perf_counter() - started) * 1000)
    if not task.done():
        return _build_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
    try:
        return task.result()
    except IntegrationError as error:
        return _build_error(error.response_type, INTERNAL_ERROR_MESSAGE, error.status)


def _build_error(response_type: str, message: str, status: int | None = None) -> Any:
    error = apigateway_v1._gw_error(response_type, message)
    error.status = status
    return error


def _select_gateway_response(customized: dict[str, Any], response_type: str) -> dict[str, Any]:
    response: dict[str, Any] = _original.select_gateway_response(customized, response_type)
    if response_type not in customized:
        default = customized.get(apigateway_v1._gateway_response_family(response_type)) or {}
        if default.get("statusCode"):
            response["statusCode"] = default["statusCode"]
    return response


def _render_error(error: Any, request: dict[str, Any]) -> tuple[int, dict[str, Any], bytes]:
    status, headers, body = _original.render_error(error, request)
    error_status = getattr(error, "status", None)
    if error_status is not None:
        api_id, deployment = request["api_id"], request["stage"].get("deploymentId")
        customized = apigateway_v1._deployed_gateway_responses.get(api_id, {}).get(deployment) or {}
        family = customized.get("DEFAULT_5XX") or {}
        if error.response_type not in customized and not family.get("statusCode"):
            status = error_status
    variables = _build_variables(request)
    variables["context.error.validationErrorString"] = json.dumps(getattr(error, "validation", ""))[1:-1]
    text = apigateway_v1._GATEWAY_TEMPLATE_VARIABLE.sub(
        lambda match: variables.get(match.group(1) or match.group(2), match.group(0)), body.decode()
    )
    return status, headers, text.encode()


def _build_variables(request: dict[str, Any]) -> dict[str, str]:
    """Return the variables that MiniStack does not replace in a gateway response."""
    headers = request["headers"]
    return {
        "context.accountId": get_account_id(),
        "context.apiId": request["api_id"],
        "context.path": request.get("path", ""),
        "context.httpMethod": request.get("method", ""),
        "context.protocol": "HTTP/1.1",
        "context.extendedRequestId": request["request_id"],
        "context.requestTimeEpoch": str(int(time.time() * 1000)),
        "context.domainName": str(headers.get("host", "")).partition(":")[0],
        "context.identity.sourceIp": "127.0.0.1",
        "context.identity.userAgent": str(headers.get("user-agent", "")),
        "context.integrationErrorMessage": "",
    }


def patch() -> None:
    replace_function(apigateway_v1, "_lambda_proxy_response", "3a5b91b76870", _read_proxy_response)
    _original.invoke_proxy = replace_function(apigateway_v1, "_invoke_lambda_proxy_v1", "5651a96fa7ba", invoke_proxy)
    _original.select_gateway_response = replace_function(
        apigateway_v1, "_gateway_response_for_type", "59b513061dd5", _select_gateway_response
    )
    _original.render_error = replace_function(apigateway_v1, "_gateway_error_response", "c0a3f091df36", _render_error)
