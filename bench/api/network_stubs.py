"""What stands where the network would be: a driver that has its rows, and a stream that takes everything."""

import datetime
from typing import Any, Self

VERSION = "01M83TX6AKPEC90XWTBJRZ90MF"


class Cursor:
    """Answers statements like the replica does for the sample events."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        if "rejected_writes" in statement:
            self._rows = [{"stored": VERSION, "reason": None, "excluded_before": None}]
        else:
            self._rows = [_build_airport(number) for number in range(values[-1] if "LIMIT" in statement else 1)]
        return len(self._rows)

    def fetchall(self) -> list[dict[str, Any]]:
        return self._rows


class Connection:
    """A driver's connection."""

    def cursor(self, _kind: object = None) -> Cursor:
        return Cursor()


def _build_airport(number: int) -> dict[str, Any]:
    return {
        "id": f"K{number:03}",
        "deleted": 0,
        "version": VERSION,
        "written_at": datetime.datetime(2026, 11, 23, 9, 0, 5, 123456),  # noqa: DTZ001  as the driver gives it
        "name": "John F Kennedy International Airport",
        "country": "US",
        "lat": 40.639928,
        "lon": -73.778692,
        "elevation": 13.0,
        "tz": "America/New_York",
        "iata": "JFK",
        "city": "New York",
        "subd": "New York",
        "lid": "JFK",
    }


def replace_driver() -> None:
    """Let the driver connect to nothing."""
    import pymysql  # noqa: PLC0415

    pymysql.connect = lambda **_: Connection()  # type: ignore[assignment]


def replace_tls(contender: str) -> None:
    """Our own reads verify the server by a layer that is not here, and the driver would not look at."""
    if contender == "sluice":
        from sluice.db import connection as database  # noqa: PLC0415

        vars(database)["tls"] = lambda: None


def ignore_record(stream: str, record: bytes) -> None:
    """Put nothing."""


def replace_client(contender: str) -> None:
    """The put on the stream is taken at once: no client's time is in the handler's."""
    if contender == "sluice":
        from sluice.ingest import firehose as stream  # noqa: PLC0415

        stream.put_record = ignore_record
    else:
        from bench.api.others import writing  # noqa: PLC0415

        writing.put_record = ignore_record


def replace_network(contender: str) -> None:
    """Each with its own client, which makes and signs its request and reads an answer; between is nothing."""
    if contender == "sluice":
        from email.message import Message  # noqa: PLC0415

        from sluice.aws.connection import Endpoint  # noqa: PLC0415

        answer = (200, Message(), b'{"RecordId": "1"}')
        Endpoint.post = lambda _self, _body, _headers: answer  # type: ignore[method-assign,assignment,return-value]
    else:
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415
        from botocore.compat import HTTPHeaders  # noqa: PLC0415

        from bench.api.others import writing  # noqa: PLC0415

        class Raw:
            def stream(self) -> list[bytes]:
                return [b'{"RecordId": "1"}']

        def sent(request: Any, **_: Any) -> AWSResponse:
            return AWSResponse(request.url, 200, HTTPHeaders(), Raw())

        writing.client.meta.events.register("before-send", sent)
