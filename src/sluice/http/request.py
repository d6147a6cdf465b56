"""An HTTP request: its caller, headers, query parameters and preferences."""

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sluice.http.problem import Problem, invalid_field_problem

_SCOPE = "sluice/"


_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


_SUBJECT = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True)
class Caller:
    """Who asks, as the verified token says. `groups` holds a person's groups and a machine's scopes alike."""

    subject: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are in lower case; absent parameters are empty texts."""

    event: Mapping[str, Any]

    @property
    def method(self) -> str:
        return str(self.event["httpMethod"])

    @property
    def collection(self) -> str:
        return str((self.event.get("pathParameters") or {}).get("collection", ""))

    @property
    def item_id(self) -> str:
        return str((self.event.get("pathParameters") or {}).get("id", ""))

    @property
    def write_version(self) -> str:
        """The version in the path of a receipt."""
        return str((self.event.get("pathParameters") or {}).get("version", ""))

    @property
    def query(self) -> Mapping[str, str]:
        return self.event.get("queryStringParameters") or {}

    @cached_property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in (self.event.get("headers") or {}).items()}

    @property
    def media_type(self) -> str:
        """The body's media type, in lower case and without parameters."""
        return self.headers.get("content-type", "application/json").split(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset that the body's media type names, in lower case; UTF-8 where it names none."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        return found[1].lower() if found else "utf-8"

    def join_header_lines(self, name: str) -> str:
        """The value of a header that is a list: all its lines as one, where `headers` has only the last of them."""
        return ", ".join(self._lines(name)) or self.headers.get(name, "")

    def count_header_lines(self, name: str) -> int:
        """How many lines of a header came."""
        return len(self._lines(name)) or int(name in self.headers)

    def _lines(self, name: str) -> list[str]:
        lines = (self.event.get("multiValueHeaders") or {}).items()
        return [line for sent, values in lines if sent.lower() == name for line in values]

    @cached_property
    def body(self) -> bytes:
        """The body's bytes. Raises Problem 400 for broken base64 and for half a surrogate pair."""
        text = self.event.get("body") or ""
        try:
            return base64.b64decode(text, validate=True) if self.event.get("isBase64Encoded") else str(text).encode()
        except ValueError:
            raise Problem(400, "The body could not be read.") from None

    @cached_property
    def caller(self) -> Caller:
        """Who asks. Raises Problem 401 when the authorizer left no usable subject."""
        authorizer = (self.event.get("requestContext") or {}).get("authorizer") or {}
        claims = authorizer.get("claims") or {}
        subject = str(claims.get("sub") or "")
        if not _SUBJECT.fullmatch(subject):
            raise Problem(401, "A token with a subject is needed.", headers={"WWW-Authenticate": "Bearer"})
        scopes = str(claims.get("scope", "")).split()
        groups = {scope.removeprefix(_SCOPE) for scope in scopes if scope.startswith(_SCOPE)}
        return Caller(subject, frozenset(groups | _groups(claims.get("cognito:groups"))))


def _groups(claim: Any) -> set[str]:
    """API Gateway hands a list claim on as one text, joined by commas (or as printed by Java, in brackets)."""
    if isinstance(claim, list):
        return {str(group) for group in claim}
    return {group for group in re.split(r"[\s,\[\]]+", str(claim or "")) if group}


def read_query_parameters(request: Request, known: Collection[str] = ()) -> Mapping[str, str]:
    """The query's parameters. Raises Problem 400: one that is passed over would be answered with something else."""
    lines = request.event.get("multiValueQueryStringParameters") or {}
    for name in request.query:
        if name not in known:
            raise invalid_field_problem(name, "There is no such parameter here", 400, quotes_client=True)
        if len(lines.get(name, ())) > 1:
            raise invalid_field_problem(name, "Expected once", 400)
    return request.query


_QUOTED = r'"(?:[^"\\]|\\.)*"'


_PREFERENCE = re.compile(rf'(?:[^,"]|{_QUOTED})+')


_WAIT = re.compile(rf"\s*wait\s*=\s*(?P<value>{_QUOTED}|[^\s;]*)\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)


_MOST_DIGITS = 9


def parse_preferred_wait(request: Request) -> int | None:
    """The seconds that a client would wait, or None. A preference that is not understood is passed over."""
    for preference in _PREFERENCE.findall(request.join_header_lines("prefer")):
        if found := _WAIT.fullmatch(preference):  # only the first of its name counts
            value = found["value"].strip('"')
            return int(value.lstrip("0")[:_MOST_DIGITS] or 0) if re.fullmatch("[0-9]+", value) else None
    return None
