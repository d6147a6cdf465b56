import http.client
import select
import ssl
from urllib.parse import urlsplit

from sluice.aws.tls import create_aws_tls_context
from sluice.errors import AwsConnectionError


class Endpoint:
    """An endpoint by its URL. A connection that answered is kept for the next request; threads never share one."""

    def __init__(self, url: str, *, connect_seconds: float, read_seconds: float) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._tls = create_aws_tls_context() if parts.scheme == "https" else None
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: list[http.client.HTTPConnection] = []

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Post to / and return status, headers and content. Raises ConnectionFault."""
        connection = self._connection()
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError:
            connection.close()
            raise AwsConnectionError("ReadTimeoutError") from None
        except (http.client.HTTPException, OSError):
            connection.close()
            raise AwsConnectionError("ConnectionClosedError") from None
        if connection.sock is not None:  # else the server wants no more on it
            self._idle.append(connection)
        return answer.status, answer.headers, content

    def _connection(self) -> http.client.HTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if not _dropped(connection):
                return connection
            connection.close()
        return self._connected()

    def _connected(self) -> http.client.HTTPConnection:
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


def _dropped(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed an idle connection: there is its end to be read, and nothing else could be."""
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return bool(waiting.poll(0))
