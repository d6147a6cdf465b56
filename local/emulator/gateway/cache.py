"""Gap: a stage's cache exists as settings only (`cloudformation.stored_settings` stores them), and nothing is cached.

As on AWS, the cache stands between the authorizer and the function: a request that is rejected or throttled does not
reach it. The key of an entry is the resource, the method and the values of the cache key parameters that the method
declares. The path and the caller are part of it only if they are declared. An entry lives for the method's TTL,
whatever the function's `Cache-Control` says. All responses of the function are cached, errors too. API Gateway's own
responses are not.

AWS does not document whether a key distinguishes the values of a repeated parameter, or an empty value from none. Here
it distinguishes neither: of several values the last one counts, and an empty one is none.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.gateway import request_metrics, responses
from local.emulator.patching import UnexpectedMiniStackError

Response = tuple[int, dict[str, Any], bytes]

MAX_ENTRIES = 10_000
SIZE_LIMIT_BYTES = 1_048_576
DEFAULT_TTL_SECONDS = 300
# Strategies for a client that may not bypass the cache.
FAIL, WARN = "FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER"

_original = SimpleNamespace()
_entries: "OrderedDict[Hashable, tuple[float, Response]]" = OrderedDict()


async def _invoke_proxy(integration: dict[str, Any], *arguments: Any, **named: Any) -> Any:
    api_id, stage_name, stage, resource, _path, method, headers, _body, query, path_values = arguments[:10]
    settings = _find_cache_settings(stage, resource["path"], method)
    if settings is None:
        return await _original.invoke_proxy(integration, *arguments, **named)
    values = _read_key_values(integration.get("cacheKeyParameters") or [], headers, query, path_values)
    key = (api_id, stage_name, resource["path"], method, values)
    warning: dict[str, str] = {}
    if _bypasses_cache(headers):
        if not settings.get("requireAuthorizationForCacheControl", True):
            _entries.pop(key, None)
        elif (strategy := settings.get("unauthorizedCacheControlHeaderStrategy", WARN)) == FAIL:
            return apigateway_v1._gw_error("ACCESS_DENIED", "Forbidden")
        elif strategy == WARN:
            warning = {"Warning": "199 - unauthorized cache-control"}
    response = _get_entry(key)
    request_metrics.note("CacheMissCount" if response is None else "CacheHitCount", 1)
    if response is None:
        response = await _original.invoke_proxy(integration, *arguments, **named)
        if isinstance(response, tuple) and len(response[2] or b"") <= SIZE_LIMIT_BYTES:
            _put_entry(key, _read_ttl(settings), response)
    if not isinstance(response, tuple):
        return response
    status, response_headers, body = response
    return status, {**response_headers, **warning}, body


def _find_cache_settings(stage: dict[str, Any], resource: str, method: str) -> dict[str, Any] | None:
    """Return the method settings with the cache of a method, or None if it is not cached.

    The settings for all methods of the stage apply to GET only.
    """
    if not stage.get("cacheClusterEnabled"):
        return None
    by_method = stage.get("methodSettings") or {}
    path = resource.strip("/").replace("/", "~1")
    names = [
        f"{start}{spelling}/{method}" for spelling in (path, resource.strip("/")) for start in ("/~1", "~1", "/", "")
    ]
    settings: dict[str, Any] | None = next((by_method[name] for name in names if name in by_method), None)
    if settings is None and method == "GET":
        settings = by_method.get("*/*")
    if not settings or not settings.get("cachingEnabled") or not _read_ttl(settings):
        return None
    return settings


def _read_ttl(settings: dict[str, Any]) -> int:
    return int(settings.get("cacheTtlInSeconds", DEFAULT_TTL_SECONDS))


def _read_key_values(parameters: list[str], headers: Any, query: Any, path: Any) -> tuple[Hashable, ...]:
    """Return the request's value of each cache key parameter. Raises ValueError for an unsupported parameter."""
    request_values = {
        "path": path or {},
        "querystring": query or {},
        "header": {name.lower(): value for name, value in (headers or {}).items()},
    }
    values = []
    for parameter in parameters:
        location, _, name = parameter.removeprefix("method.request.").partition(".")
        if not parameter.startswith("method.request.") or location not in request_values:
            raise ValueError(f"the emulator does not support the cache key parameter {parameter}")
        value = request_values[location].get(name.lower() if location == "header" else name)
        values.append((value[-1:] or [""])[0] if isinstance(value, list) else value or "")
    return tuple(values)


def _bypasses_cache(headers: Any) -> bool:
    """Whether the client asks for a fresh response with `Cache-Control: max-age=0`."""
    directives = next((str(value) for name, value in (headers or {}).items() if name.lower() == "cache-control"), "")
    return "max-age=0" in directives.replace(" ", "").lower().split(",")


def _get_entry(key: Hashable) -> Response | None:
    expires_at, response = _entries.get(key, (0.0, None))
    if response is None or expires_at <= time.monotonic():
        _entries.pop(key, None)
        return None
    status, headers, body = response
    return status, dict(headers), body


def _put_entry(key: Hashable, ttl_seconds: int, response: Response) -> None:
    status, headers, body = response
    _entries[key] = (time.monotonic() + ttl_seconds, (status, dict(headers), body))
    while len(_entries) > MAX_ENTRIES:
        _entries.popitem(last=False)


def patch() -> None:
    if apigateway_v1._invoke_lambda_proxy_v1 is not responses.invoke_proxy:
        raise UnexpectedMiniStackError("The patch gateway.cache must come right after gateway.responses.")
    _original.invoke_proxy, apigateway_v1._invoke_lambda_proxy_v1 = responses.invoke_proxy, _invoke_proxy
