"""Gap: what API Gateway answers when a function gives no answer to pass on.

A 502 told the exception's text to everybody, a throttled function answered as itself, a slow one was waited for without
end, and a customised default did not change the status of what it stands for.
"""

import asyncio
import re
import time
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import apigateway_v1

from local.emulator.bootstrap import ANSWER_LIMIT as INVOCATION_LIMIT
from local.emulator.expectation import replace

_before = SimpleNamespace()

INTEGRATION_MILLISECONDS = 29_000
INTERNAL = "Internal server error"


class IntegrationError(Exception):
    """A function gave no answer to pass on: the type of the gateway response, and its status unless customised."""

    def __init__(self, response_type: str, status: int) -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.status = status


def _function_answer(result: dict[str, Any]) -> tuple[dict[str, Any], None]:
    """The function's answer, when it has the form that API Gateway asks for. Raises IntegrationError."""
    if result.get("throttle"):
        raise IntegrationError("INTEGRATION_FAILURE", 500)
    answer = result.get("body")
    if (
        result.get("error")
        or not isinstance(answer, dict)
        or not re.fullmatch(r"[1-5]\d\d", str(answer.get("statusCode", "")))
        or not isinstance(answer.get("headers") or {}, dict)
        or not isinstance(answer.get("body") or "", str)
    ):
        raise IntegrationError("DEFAULT_5XX", 502)
    return {**answer, "statusCode": int(answer["statusCode"]), "body": answer.get("body") or ""}, None


def _error(response_type: str, message: str, status: int | None = None) -> Any:
    error = apigateway_v1._gw_error(response_type, message)
    error.status = status
    return error


async def _invoke(integration: dict[str, Any], *arguments: Any, **named: Any) -> Any:
    if len(arguments[7] or b"") > INVOCATION_LIMIT:
        return _error("REQUEST_TOO_LARGE", "Request Too Long")
    task = asyncio.ensure_future(_before.invoke(integration, *arguments, **named))
    # The function goes on when nobody waits for it any more; then nobody asks how it ended either.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait({task}, timeout=(integration.get("timeoutInMillis") or INTEGRATION_MILLISECONDS) / 1000)
    if not task.done():
        return _error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
    try:
        return task.result()
    except IntegrationError as error:
        return _error(error.response_type, INTERNAL, error.status)


def _response_for(customized: dict[str, Any], response_type: str) -> dict[str, Any]:
    response: dict[str, Any] = _before.response_for(customized, response_type)
    if response_type not in customized:
        default = customized.get(apigateway_v1._gateway_response_family(response_type)) or {}
        if default.get("statusCode"):
            response["statusCode"] = default["statusCode"]
    return response


def _answer(error: Any, request: dict[str, Any]) -> tuple[int, dict[str, Any], bytes]:
    status, headers, body = _before.answer(error, request)
    own = getattr(error, "status", None)
    if own is not None:
        api_id, deployment = request["api_id"], request["stage"].get("deploymentId")
        customized = apigateway_v1._deployed_gateway_responses.get(api_id, {}).get(deployment) or {}
        family = customized.get("DEFAULT_5XX") or {}
        if error.response_type not in customized and not family.get("statusCode"):
            status = own
    variables = _variables(request)
    text = apigateway_v1._GATEWAY_TEMPLATE_VARIABLE.sub(
        lambda found: variables.get(found.group(1) or found.group(2), found.group(0)), body.decode()
    )
    return status, headers, text.encode()


def _variables(request: dict[str, Any]) -> dict[str, str]:
    """What MiniStack does not put into a gateway response by itself."""
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
        "context.error.validationErrorString": "",
        "context.integrationErrorMessage": "",
    }


def patch() -> None:
    replace(apigateway_v1, "_lambda_proxy_response", "3a5b91b76870", _function_answer)
    _before.invoke = replace(apigateway_v1, "_invoke_lambda_proxy_v1", "5651a96fa7ba", _invoke)
    _before.response_for = replace(apigateway_v1, "_gateway_response_for_type", "59b513061dd5", _response_for)
    _before.answer = replace(apigateway_v1, "_gateway_error_response", "c0a3f091df36", _answer)
