"""Problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

PROBLEM_CONTENT_TYPE = "application/problem+json"


class FieldFault(msgspec.Struct, frozen=True):
    """What is wrong with one field; an empty name means the whole body."""

    field: str
    detail: str


class Problem(Exception):  # noqa: N818  the field's word for it
    """An answer other than success. `faults` name the fields, `headers` go on the response.

    `quoting` says that the names are the client's own words, which no log may have. `members` are more members of the
    document.
    """

    def __init__(  # noqa: PLR0913  all by name
        self,
        status: int,
        detail: str,
        *,
        faults: list[FieldFault] | None = None,
        headers: Mapping[str, str] | None = None,
        quotes_client: bool = False,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.faults = faults or []
        self.headers = dict(headers or {})
        self.quotes_client = quotes_client
        self.members = members or {}

    def loggable_reason(self) -> str | list[str]:
        """What the log may have of it: our own fault's detail, or the names of a client's faulty fields."""
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self.detail
        return [] if self.quotes_client else [fault.field for fault in self.faults]

    def to_json(self) -> bytes:
        """The problem as JSON."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            body["errors"] = self.faults
        return msgspec.json.encode({**body, **self.members})


def invalid_field_problem(field: str, detail: str, status: int = 422, *, quotes_client: bool = False) -> Problem:
    """A body or parameter that names its faulty field."""
    return Problem(status, f"{field}: {detail}", faults=[FieldFault(field, detail)], quotes_client=quotes_client)
