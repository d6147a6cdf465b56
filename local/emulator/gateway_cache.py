"""Gap: a stage's cache was settings only (`edge_settings` keeps them), and nothing was cached.

As on AWS the cache stands between the authorizer and the function: who is refused or throttled sees nothing of it. An
entry is found by the resource, the method and the values of the cache key parameters that the method declares, and by
nothing else: neither the path nor the caller, unless declared. It lives for the method's TTL, whatever `Cache-Control`
the function answers with. Whatever the function answers is kept, errors too; what API Gateway answers itself is not.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1

from local.emulator import gateway_answers
from local.emulator.expectation import UnexpectedError

Answer = tuple[int, dict[str, Any], bytes]

ENTRIES = 10_000
SIZE_LIMIT = 1_048_576
FORBIDDEN, WARNED = "FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER"

_before = SimpleNamespace()
_kept: "OrderedDict[Hashable, tuple[float, Answer]]" = OrderedDict()


def method_settings(stage: dict[str, Any], resource: str, method: str) -> dict[str, Any] | None:
    """The settings of the cache for a method, or None where it is not cached: the stage's own are for GET only."""
    if not stage.get("cacheClusterEnabled"):
        return None
    settings = stage.get("methodSettings") or {}
    path = resource.strip("/").replace("/", "~1")
    names = [
        f"{start}{spelling}/{method}" for spelling in (path, resource.strip("/")) for start in ("/~1", "~1", "/", "")
    ]
    own = next((settings[name] for name in names if name in settings), None)
    found: dict[str, Any] | None = own if own is not None else settings.get("*/*") if method == "GET" else None
    if not found or not found.get("cachingEnabled") or not int(found.get("cacheTtlInSeconds", 300)):
        return None
    return found


def key_values(parameters: list[str], headers: Any, query: Any, path: Any) -> tuple[Hashable, ...]:
    """What a request has for each cache key parameter. Raises ValueError for a parameter that is none of a request."""
    sent = {
        "path": path or {},
        "querystring": query or {},
        "header": {k.lower(): v for k, v in (headers or {}).items()},
    }
    values = []
    for parameter in parameters:
        where, _, name = parameter.removeprefix("method.request.").partition(".")
        if not parameter.startswith("method.request.") or where not in sent:
            raise ValueError(f"the cache key parameter {parameter} is not understood here")
        value = sent[where].get(name.lower() if where == "header" else name)
        values.append(tuple(value) if isinstance(value, list) else value)
    return tuple(values)


async def _invoke(integration: dict[str, Any], *arguments: Any, **named: Any) -> Any:
    api_id, stage_name, stage, resource, _path, method, headers, _body, query, path_values = arguments[:10]
    settings = method_settings(stage, resource["path"], method)
    if settings is None:
        return await _before.invoke(integration, *arguments, **named)
    values = key_values(integration.get("cacheKeyParameters") or [], headers, query, path_values)
    key = (api_id, stage_name, resource["path"], method, values)
    warning: dict[str, str] = {}
    if _wants_it_anew(headers):
        if not settings.get("requireAuthorizationForCacheControl", True):
            _kept.pop(key, None)
        elif (strategy := settings.get("unauthorizedCacheControlHeaderStrategy", WARNED)) == FORBIDDEN:
            return apigateway_v1._gw_error("ACCESS_DENIED", "Forbidden")
        elif strategy == WARNED:
            warning = {"Warning": "199 - unauthorized cache-control"}
    answer = _looked_up(key)
    if answer is None:
        answer = await _before.invoke(integration, *arguments, **named)
        if isinstance(answer, tuple) and len(answer[2] or b"") <= SIZE_LIMIT:
            _keep(key, int(settings.get("cacheTtlInSeconds", 300)), answer)
    if not isinstance(answer, tuple):
        return answer
    status, answered, body = answer
    return status, {**answered, **warning}, body


def _wants_it_anew(headers: Any) -> bool:
    given = next((str(v) for k, v in (headers or {}).items() if k.lower() == "cache-control"), "")
    return "max-age=0" in given.replace(" ", "").lower().split(",")


def _looked_up(key: Hashable) -> Answer | None:
    until, answer = _kept.get(key, (0.0, None))
    if answer is None or until <= time.monotonic():
        _kept.pop(key, None)
        return None
    status, headers, body = answer
    return status, dict(headers), body


def _keep(key: Hashable, seconds: int, answer: Answer) -> None:
    status, headers, body = answer
    _kept[key] = (time.monotonic() + seconds, (status, dict(headers), body))
    while len(_kept) > ENTRIES:
        _kept.popitem(last=False)


def patch() -> None:
    if apigateway_v1._invoke_lambda_proxy_v1 is not gateway_answers._invoke:
        raise UnexpectedError("The emulator's gateway_cache must be patched in right after gateway_answers.")
    _before.invoke, apigateway_v1._invoke_lambda_proxy_v1 = apigateway_v1._invoke_lambda_proxy_v1, _invoke
