"""Problem documents (RFC 9457): every response that reports a failure."""

from collections.abc import Mapping

import msgspec

PROBLEM_CONTENT_TYPE = "application/problem+json"


class FieldFault(msgspec.Struct, frozen=True):
    """What is wrong with one field. An empty name means the whole body."""

    field: str
    detail: str


class Problem(Exception):  # noqa: N818  RFC 9457 calls it a problem
    """A response other than success.

    `faults` name the invalid fields. `headers` go on the response. `members` are added to the document.
    `quotes_client` says that the field names are the client's own words, which must not be logged.
    """

    def __init__(  # noqa: PLR0913  callers pass everything optional by name
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
        """Return what may be logged: the detail of our own failure, or the names of the client's invalid fields."""
        if self.status >= 500:
            return self.detail
        return [] if self.quotes_client else [fault.field for fault in self.faults]

    def to_json(self) -> bytes:
        """Encode the problem document."""
        from http import HTTPStatus  # noqa: PLC0415  takes 4 ms, which only a problem is to cost

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
    """Create the problem of one invalid field of a body, or of one invalid parameter or header."""
    return Problem(status, f"{field}: {detail}", faults=[FieldFault(field, detail)], quotes_client=quotes_client)


def missing_subject_problem() -> Problem:
    """Create the problem of a request whose token has no usable subject."""
    return Problem(401, "A token with a subject is needed.", headers={"WWW-Authenticate": "Bearer"})
