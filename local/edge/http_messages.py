"""HTTP requests and responses as they pass through the edge."""

from dataclasses import dataclass, field, replace
from uuid import uuid4

Headers = list[tuple[str, str]]

# These headers belong to one connection; a proxy does not forward them.
HOP_BY_HOP_HEADERS = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """`path` and `query` are not decoded; header names are in lower case. `id` is unique."""

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    client_address: str = "127.0.0.1"
    id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def get_header(self, name: str) -> str | None:
        """All values of a header, joined with commas as HTTP defines, or None."""
        return get_header(self.headers, name)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def get_header(self, name: str) -> str | None:
        return get_header(self.headers, name)

    def with_headers(self, *added: tuple[str, str]) -> "Response":
        """A copy in which these headers replace those of the same names."""
        return replace(self, headers=replace_headers(self.headers, *added))


def get_header(headers: Headers, name: str) -> str | None:
    values = [value for header_name, value in headers if header_name == name]
    return ", ".join(values) if values else None


def replace_headers(headers: Headers, *added: tuple[str, str]) -> Headers:
    names = {name for name, _ in added}
    return [*((name, value) for name, value in headers if name not in names), *added]


def remove_headers(headers: Headers, names: frozenset[str]) -> Headers:
    return [(name, value) for name, value in headers if name not in names]
