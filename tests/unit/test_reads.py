"""Invalid reads, and the response while the replica is unavailable. The tests of database and stack read rows."""

import base64
import socket
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import botocore
import pytest

from sluice.aws.secrets import Credentials
from sluice.errors import AccessDenied, DatabaseUnavailable
from sluice.model.resource import load_resources
from sluice.query.list import Cursor, encode_cursor
from sluice.query.query_planner import plan_query
from tests.unit.loopback import Answers, Loopback, StubResponse, error
from tests.unit.requesting import ALICE, BOOKING_ID, Answer, ask, event
from tests.unit.test_paths import VERSION


@pytest.fixture
def unavailable_replica(
    aws: Loopback, stream: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Loopback]:
    """A readable secret, a trusted authority, and a port on which nothing listens."""
    (tmp_path / "database_trust").mkdir()
    (tmp_path / "database_trust" / "__init__.py").touch()
    authorities = Path(botocore.__file__).with_name("cacert.pem").read_text()
    (tmp_path / "database_trust" / "ca.pem").write_text(authorities)
    monkeypatch.syspath_prepend(str(tmp_path))
    stream.otherwise = lambda _: StubResponse(200, {"SecretString": '{"username": "reader", "password": "word"}'})
    replica = import_module("sluice.handlers.get").router.replicas.replicas[0].database
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings = import_module("msgspec").structs.replace(replica._settings, database_port=unused.getsockname()[1])
        monkeypatch.setattr(replica, "_settings", settings)
        monkeypatch.setattr(replica.access, "credentials", None)
        yield stream


@pytest.mark.parametrize("path", ["bookings", f"bookings/{BOOKING_ID}", "airports", "airports/EDDB"])
def test_while_the_replica_is_unavailable_a_read_is_a_503(
    unavailable_replica: Loopback, lines: Callable[[], list[dict[str, Any]]], path: str
) -> None:
    answer = ask(event("GET", path))
    assert (answer.status, int(answer.headers["Retry-After"]) >= 1) == (503, True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert [request.body for request in unavailable_replica.requests] == [{"SecretId": "arn:reader"}]
    (line,) = lines()
    assert (line["level"], line["error"], line["collection"]) == (
        "ERROR",
        "DatabaseUnavailable",
        path.partition("/")[0],
    )


def get(query: Mapping[str, str], path: str = "bookings") -> Answer:
    return ask(event("GET", path, query=query))


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1.0", "ten", "", "00001", "1e2", "٣"])
def test_a_limit_is_a_number_from_1_to_500(stream: Loopback, limit: str) -> None:
    answer = get({"limit": limit})
    assert (answer.status, answer.fields) == (400, ["limit"])
    assert stream.requests == []


@pytest.mark.parametrize("path", ["bookings", f"bookings/{BOOKING_ID}", f"bookings/{BOOKING_ID}/writes/{VERSION}"])
def test_an_unknown_parameter_is_rejected(stream: Loopback, path: str) -> None:
    answer = get({"limits": "1"}, path)
    assert (answer.status, answer.fields) == (400, ["limits"])


def test_a_repeated_parameter_is_rejected(stream: Loopback) -> None:
    sent = event("GET", "bookings", query={"limit": "1"})
    answer = ask({**sent, "multiValueQueryStringParameters": {"limit": ["2", "1"]}})
    assert (answer.status, answer.fields) == (400, ["limit"])
    assert stream.requests == []


def test_the_log_contains_no_text_of_a_client(stream: Loopback, lines: Callable[[], list[dict[str, Any]]]) -> None:
    assert get({"Ada Lovelace": "secret"}).status == 400
    assert get({"limit": "secret"}).status == 400
    assert not {"Ada", "secret"} & set(str(lines()).replace("'", " ").split())


def encode_base64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


def create_cursor(collection: str, item_id: str, owner: str = "") -> str:
    resource = load_resources()[collection]
    return encode_cursor(plan_query(resource, {}), owner, Cursor(item_id))


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "!!!!",
        "=",
        "é",
        "....",
        encode_base64(b"no uuid"),
        encode_base64(b"\xff\xfe"),
        encode_base64(b"' OR 1=1 --"),
        encode_base64(BOOKING_ID.encode()),
        encode_base64(b'["", "' + BOOKING_ID.encode() + b'", null]'),
        create_cursor("bookings", BOOKING_ID, "another"),
        create_cursor("airports", "EDDB", ALICE["sub"]),
        BOOKING_ID,
        "!" + encode_base64(BOOKING_ID.encode()),
    ],
)
def test_an_invalid_cursor_is_rejected(stream: Loopback, after: str) -> None:
    answer = get({"after": after})
    assert (answer.status, answer.fields) == (400, ["after"])
    assert stream.requests == []


@pytest.mark.parametrize(
    "after",
    ["!!!!", "=", encode_base64(b"a b"), *(create_cursor("airports", key) for key in ("a b", "x" * 129))],
)
def test_a_cursor_of_a_collection_with_keys_contains_a_valid_key(stream: Loopback, after: str) -> None:
    assert get({"after": after}, "airports").fields == ["after"]


@pytest.mark.parametrize(
    "query",
    [{"limit": "1"}, {"limit": "500"}, {"after": create_cursor("bookings", BOOKING_ID, ALICE["sub"])}, {"after": ""}],
)
def test_a_valid_limit_and_cursor_reach_the_replica(unavailable_replica: Loopback, query: dict[str, str]) -> None:
    assert get(query).status == 503


def test_a_shared_collection_needs_no_subject(unavailable_replica: Loopback) -> None:
    assert ask(event("GET", "airports/EDDB", claims=None)).status == 503


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (error("AccessDeniedException"), "AccessDeniedException"),
        (error("ResourceNotFoundException"), "ResourceNotFoundException"),
        (error("InternalServiceError", 500), "InternalServiceError"),
        (error("ThrottlingException"), "ThrottlingException"),
        (lambda _: StubResponse(0, {}), "ConnectionClosedError"),
    ],
)
@pytest.mark.parametrize("path", ["bookings", f"bookings/{BOOKING_ID}", f"bookings/{BOOKING_ID}/writes/{VERSION}"])
def test_while_the_secret_cannot_be_read_reading_is_a_503(
    unavailable_replica: Loopback, lines: Callable[[], list[dict[str, Any]]], path: str, answer: Answers, cause: str
) -> None:
    unavailable_replica.otherwise = answer
    response = ask(event("GET", path))
    assert (response.status, response.headers["Retry-After"]) == (503, "5")
    assert response.headers["Cache-Control"] == "no-store"
    (line,) = lines()
    assert (line["level"], line["error"], line["fault"]) == ("ERROR", "DatabaseUnavailable", f"GetSecretValue: {cause}")
    assert "says the service" not in str(line)


class Server:
    """A database that accepts one password."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.password = "word"
        monkeypatch.setattr("sluice.db.connection.open_connection", self.open_connection)

    def open_connection(self, _settings: object, credentials: Credentials, **_: object) -> object:
        if credentials.password != self.password:
            raise AccessDenied
        return object()


def test_a_function_with_a_valid_password_does_not_read_the_secret(
    unavailable_replica: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch)
    replica = import_module("sluice.handlers.get").router.replicas.replicas[0].database
    monkeypatch.setattr(replica, "_connection", None)
    assert replica.get_connection()
    unavailable_replica.otherwise = error("AccessDeniedException")
    replica._connection = None
    assert replica.get_connection()  # a new connection with the same password

    server.password, replica._connection = "rotated", None
    for _ in range(2):  # the earlier password is not used again
        with pytest.raises(DatabaseUnavailable, match="AccessDeniedException"):
            replica.get_connection()
    assert ask(event("GET", "bookings")).status == 503
    unavailable_replica.otherwise = lambda _: StubResponse(
        200, {"SecretString": '{"username": "reader", "password": "rotated"}'}
    )
    assert replica.get_connection()
