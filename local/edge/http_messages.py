"""HTTP requests and responses as they pass through the edge."""

from dataclasses import dataclass, field, replace

Headers = list[tuple[str, str]]


# Of one connection, never of a message that is handed on.
HOP_BY_HOP_HEADERS = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """`path` and `query` as they were sent, not decoded; header names in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    client_address: str = "127.0.0.1"

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def get_header(self, name: str) -> str | None:
        """All values of a header, joined as HTTP says, or None."""
        return get_header(self.headers, name)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def get_header(self, name: str) -> str | None:
        return get_header(self.headers, name)

    def with_headers(self, *added: tuple[str, str]) -> "Response":
        """With these headers in place of those of the same names."""
        return replace(self, headers=replace_headers(self.headers, *added))


def get_header(headers: Headers, name: str) -> str | None:
    found = [value for given, value in headers if given == name]
    return ", ".join(found) if found else None


def replace_headers(headers: Headers, *added: tuple[str, str]) -> Headers:
    names = {name for name, _ in added}
    return [*((name, value) for name, value in headers if name not in names), *added]


def remove_headers(headers: Headers, names: frozenset[str]) -> Headers:
    return [(name, value) for name, value in headers if name not in names]
