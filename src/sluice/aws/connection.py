"""Warm connections to one HTTP endpoint of AWS."""

import http.client
import select
import ssl
from urllib.parse import urlsplit

from sluice.aws.tls import create_aws_tls_context
from sluice.errors import AwsConnectionError


class Endpoint:
    """An HTTP endpoint by its URL.

    A connection is kept for the next request while the server keeps it open. Two threads never share one.
    """

    def __init__(self, url: str, *, connect_seconds: float, read_seconds: float) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._tls = create_aws_tls_context() if parts.scheme == "https" else None
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: list[http.client.HTTPConnection] = []

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Post to / and return status, headers and content. Raises AwsConnectionError."""
        connection = self._take_connection()
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError:
            connection.close()
            raise AwsConnectionError("ReadTimeoutError") from None
        except (http.client.HTTPException, OSError):
            connection.close()
            raise AwsConnectionError("ConnectionClosedError") from None
        if connection.sock is not None:  # else the server closes the connection
            self._idle.append(connection)
        return response.status, response.headers, content

    def _take_connection(self) -> http.client.HTTPConnection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread may take the last one at any time
                return self._open_connection()
            if not _is_closed_by_server(connection):
                return connection
            connection.close()

    def _open_connection(self) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPSConnection(self.host, timeout=self._connect_seconds, context=self._tls)
            if self._tls
            else http.client.HTTPConnection(self.host, timeout=self._connect_seconds)
        )
        try:
            connection.connect()
        except TimeoutError:
            code = "ConnectTimeoutError"
        except ssl.SSLError:
            code = "SSLError"
        except OSError:
            code = "EndpointConnectionError"
        else:
            connection.sock.settimeout(self._read_seconds)
            return connection
        connection.close()
        raise AwsConnectionError(code)


def _is_closed_by_server(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection is readable: nothing but its end can be read from it."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
