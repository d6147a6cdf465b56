"""CloudFront functions. The edge runs no JavaScript: it has a stand-in for the one function of the template.

A function with any other text is not supported: a change of the template needs a change here.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, list_items
from local.edge.http_messages import Request, replace_headers

RequestFunction = Callable[[Request], Request]

_QUERY_DIGEST = """
import crypto from 'crypto';
function handler(event) {
const request = event.request;
const query = request.rawQueryString() || '';
request.headers['x-query-digest'] = {value: crypto.createHash('sha256').update(query).digest('hex')};
return request;
}
"""


def parse_function_associations(config: Any, functions: Mapping[str, str], context: str) -> RequestFunction:
    """The function that changes the requests of viewers. `functions` has the text of each function, by its ARN.

    Raises UnsupportedConfiguration for anything but the known function at the event viewer-request.
    """
    change: RequestFunction = _keep_request
    for association in list_items(config):
        text = functions.get(association.get("FunctionARN", ""), "")
        if association["EventType"] != "viewer-request" or _normalise(text) != _normalise(_QUERY_DIGEST):
            raise UnsupportedConfiguration(f"{context}: the local edge has no stand-in for its FunctionAssociations")
        change = set_query_digest
    return change


def set_query_digest(request: Request) -> Request:
    """Set the header by which API Gateway's cache distinguishes queries, also those with undeclared parameters."""
    digest = hashlib.sha256(request.query.encode()).hexdigest()
    return replace(request, headers=replace_headers(request.headers, ("x-query-digest", digest)))


def _keep_request(request: Request) -> Request:
    return request


def _normalise(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
