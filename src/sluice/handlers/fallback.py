"""Respond to a request that no other function handles: 405 if the path exists with other methods, else 404."""

from sluice.http.api_gateway import create_api_handler, parse_route
from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.http.response import Response

# By the part of a route after `/v1/{collection}`. Each collection has the same.
_METHODS_BY_SUFFIX = {
    "": "GET, POST",
    "/{id}": "GET, PUT, DELETE",
    "/{id}/writes/{version}": "GET",
}
_METHODS_BY_ROUTE = {"/v1/openapi.json": "GET", "/v1/docs": "GET", "/v1/status": "GET", "/": "", "/{proxy+}": ""}


def reject_request(request: Request) -> Response:
    """Raise Problem 404 or 405."""
    if methods := find_methods(request.route):
        raise Problem(405, f"This path takes {methods}, not {request.method}.", headers={"Allow": methods})
    raise Problem(404, "There is nothing at this path.")


def find_methods(route: str) -> str:
    """Return the methods that a route takes, or an empty text if nothing is there."""
    suffix = route.removeprefix("/v1/").lstrip("abcdefghijklmnopqrstuvwxyz0123456789_")
    return _METHODS_BY_ROUTE.get(route, _METHODS_BY_SUFFIX.get(suffix, "") if route.startswith("/v1/") else "")


handle = create_api_handler("fallback", reject_request, parse_route)
