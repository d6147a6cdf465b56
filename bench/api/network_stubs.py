"""Stubs in place of the network: a driver that has its rows, and a stream that accepts everything."""

import datetime
from typing import Any, Self

VERSION = "01M83TX6AKPEC90XWTBJRZ90MF"
MOMENT = "2026-11-29T17:00:03.123456"
WRITTEN_AT = datetime.datetime(2026, 11, 23, 9, 0, 5, 123456)  # noqa: DTZ001  as the driver returns it


class Cursor:
    """Responds to the statements of the sample events as the replica does."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        if "rejected_writes" in statement:
            self._rows = [{"_moment": MOMENT, "stored": VERSION, "reason": None, "excluded_before": None}]
        elif "LIMIT" in statement:
            self._rows = [_build_airport(f"K{number:03}") for number in range(values[-1])]
        else:
            self._rows = [_build_airport("KJFK")]
        return len(self._rows)

    def fetchall(self) -> list[dict[str, Any]]:
        return self._rows


class Connection:
    """A connection of the driver."""

    def cursor(self, _kind: object = None) -> Cursor:
        return Cursor()


def _build_airport(item_id: str) -> dict[str, Any]:
    return {
        # Our reads select the version and the time in one column (see sluice.query.item_rows), the others in two.
        "_moment": f"{MOMENT} {VERSION} 0 {WRITTEN_AT}",
        "id": item_id,
        "version": VERSION,
        "written_at": WRITTEN_AT,
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
    """Replace the driver's connection by the stub."""
    import pymysql  # noqa: PLC0415

    pymysql.connect = lambda **_: Connection()  # type: ignore[assignment]


def replace_tls(contender: str) -> None:
    """Our reads verify the server with the trust layer, which does not exist here, and which the stub would not use."""
    if contender == "sluice":
        from sluice.db import connection  # noqa: PLC0415

        vars(connection)["create_database_tls_context"] = lambda: None


def ignore_record(stream: object, record: bytes) -> None:
    """Put nothing."""


def replace_client(contender: str) -> None:
    """Accept each record at once, so that the time of the handler has no time of a client."""
    if contender == "sluice":
        from sluice.ingest.firehose import FirehoseStream  # noqa: PLC0415

        FirehoseStream.put_record = ignore_record  # type: ignore[method-assign,assignment]
    else:
        from bench.api.others import writing  # noqa: PLC0415

        writing.put_record = ignore_record


def replace_network(contender: str) -> None:
    """Keep the client of each contender, which builds and signs its request and parses a response; send nothing."""
    if contender == "sluice":
        from email.message import Message  # noqa: PLC0415

        from sluice.aws.connection import Endpoint  # noqa: PLC0415

        response = (200, Message(), b'{"RecordId": "1"}')
        Endpoint.post = lambda _self, _body, _headers: response  # type: ignore[method-assign,assignment,return-value]
    else:
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415
        from botocore.compat import HTTPHeaders  # noqa: PLC0415

        from bench.api.others import writing  # noqa: PLC0415

        class RawBody:
            def stream(self) -> list[bytes]:
                return [b'{"RecordId": "1"}']

        def respond(request: Any, **_: Any) -> AWSResponse:
            return AWSResponse(request.url, 200, HTTPHeaders(), RawBody())

        writing.client.meta.events.register("before-send", respond)
