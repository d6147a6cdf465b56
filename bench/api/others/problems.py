"""Problem documents."""

import json
from collections.abc import Mapping
from http import HTTPStatus

CONTENT_TYPE = "application/problem+json"
ALLOWED_METHODS = {
    "/v1/airports": "GET, POST",
    "/v1/airports/{id}": "GET, PUT, DELETE",
    "/v1/airports/{id}/writes/{version}": "GET",
}


class ProblemError(Exception):
    """A response that is not a success."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {"Cache-Control": "no-store", **(headers or {})}

    def to_json(self, errors: list[dict[str, str]] | None = None) -> str:
        """The problem document."""
        document = {"type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status}
        return json.dumps({**document, "detail": self.detail, **({"errors": errors} if errors else {})})


def build_routing_error(resource: str, method: str) -> ProblemError:
    """The error for a request that no route accepts."""
    if allowed := ALLOWED_METHODS.get(resource):
        return ProblemError(405, f"This path accepts {allowed}, not {method}.", {"Allow": allowed})
    return ProblemError(404, "There is nothing at this path.")
