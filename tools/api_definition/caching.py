"""What API Gateway's cache stores: the items and lists of shared collections, and by which key.

The cache stands behind the authorizer and the throttle, so one entry serves every caller of a shared collection. An
entry of a private collection would serve only the caller that made it: it is not worth the space, and not the risk.
Receipts are never cached.
"""

from typing import Any

from sluice.model.resource import Resource
from tools.api_definition.routes import INTEGRATION

QUERY_DIGEST = "x-query-digest"
"""The header with a digest of the whole query, which CloudFront sets (template.yaml, QueryDigest)."""

_LOCATIONS = {"path": "path", "query": "querystring", "header": "header"}


def list_cached_paths(resource: Resource) -> tuple[str, ...]:
    """Return the paths of a collection whose GET is cached: those of its list and of an item."""
    return f"/v1/{resource.collection}", f"/v1/{resource.collection}/{{id}}"


def declare_cache_key(operation: dict[str, Any]) -> None:
    """Make a cache key of everything that the answer depends on: path, query, what the client has (If-None-Match)
    or has seen (Sluice-As-Of), how long it waits (Prefer) and what it can decode (AWS does not document whether the
    cache stores compressed answers).

    API Gateway ignores what is not declared: a request would get the answer to another one. So a parameter that the
    contract lacks, or that occurs twice, would leave its 400 to others, if the digest of the query were not in the key.
    """
    operation["parameters"] += [
        {"name": name, "in": "header", "type": "string"} for name in (QUERY_DIGEST, "Accept-Encoding")
    ]
    keys: list[Any] = [
        f"method.request.{_LOCATIONS[parameter['in']]}.{parameter['name']}" for parameter in operation["parameters"]
    ]
    operation["parameters"].append({"name": "x-api-key", "in": "header", "type": "string"})
    # AWS documents that the authorizer comes before the cache, but not that the check of API keys does.
    client = {"Fn::If": ["KeysRequired", "method.request.header.x-api-key", {"Ref": "AWS::NoValue"}]}
    operation[INTEGRATION]["cacheKeyParameters"] = [*keys, client]
