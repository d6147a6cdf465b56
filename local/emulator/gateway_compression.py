"""Gap: an API's `MinimumCompressionSize` was stored and ignored.

With it API Gateway compresses answers of at least that many bytes for clients that take gzip, and unpacks requests.
"""

import gzip
import zlib
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.expectation import replace
from local.emulator.gateway_requests import REQUEST_LIMIT

_before = SimpleNamespace()


def _unpacked(body: bytes) -> bytes | None:
    """The unpacked request, at most one byte above the limit; None when it is not gzip."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        return unpacker.decompress(body, REQUEST_LIMIT + 1)
    except zlib.error:
        return None


async def _execute(request: dict[str, Any], api_id: str, *arguments: Any) -> Any:
    minimum = (apigateway_v1._rest_apis.get(api_id) or {}).get("minimumCompressionSize")
    stage_name, method, path, headers, body, *rest = arguments
    if minimum is not None and body and headers.get("content-encoding", "").strip().lower() == "gzip":
        body = _unpacked(body)
        if body is None:
            return apigateway_v1._gw_error("BAD_REQUEST_BODY", "Request body could not be unpacked")
        if len(body) > REQUEST_LIMIT:
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        headers = {name: value for name, value in headers.items() if name != "content-encoding"}
    answer = await _before.execute(request, api_id, stage_name, method, path, headers, body, *rest)
    if minimum is None or not isinstance(answer, tuple) or "gzip" not in headers.get("accept-encoding", "").lower():
        return answer
    status, answer_headers, answer_body = answer
    if len(answer_body) < int(minimum) or any(name.lower() == "content-encoding" for name in answer_headers):
        return answer
    return status, {**answer_headers, "Content-Encoding": "gzip"}, gzip.compress(answer_body, 1)


def patch() -> None:
    _before.execute = replace(apigateway_v1, "_execute_in_scope", "2ae72b7d5eb6", _execute)
