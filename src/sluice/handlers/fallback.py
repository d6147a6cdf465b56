"""Respond to a request that no other function handles: 405 if the path exists with other methods, else 404."""

from sluice.http.api_gateway import create_api_handler, parse_route
from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.http.response import Response

_METHODS_BY_ROUTE = {
    "/v1/{collection}": "GET, POST",
    "/v1/{collection}/{id}": "GET, PUT, DELETE",
    "/v1/{collection}/{id}/writes/{version}": "GET",
    "/v1/openapi.json": "GET",
    "/v1/docs": "GET",
}


def reject_request(request: Request) -> Response:
    """Raise Problem 404 or 405."""
    methods = _METHODS_BY_ROUTE.get(request.route)
    if methods is None:
        raise Problem(404, "There is nothing at this path.")
    raise Problem(405, f"This path takes {methods}, not {request.method}.", headers={"Allow": methods})


handle = create_api_handler("fallback", reject_request, parse_route)
