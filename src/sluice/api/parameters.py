"""The parameters of a query: each one known, and given once."""

from collections.abc import Collection, Mapping

from sluice.api.problems import invalid
from sluice.api.requests import Request


def parameters(request: Request, known: Collection[str] = ()) -> Mapping[str, str]:
    """The query's parameters. Raises Problem 400: one that is passed over would be answered with something else."""
    lines = request.event.get("multiValueQueryStringParameters") or {}
    for name in request.query:
        if name not in known:
            raise invalid(name, "There is no such parameter here", 400, quoting=True)
        if len(lines.get(name, ())) > 1:
            raise invalid(name, "Expected once", 400)
    return request.query
