"""RDS on loopback: answers in the XML of its query protocol, by operation, and what was requested of it.

The answers have the members of the examples in AWS's API reference, with values of this application.
"""

import threading
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl

NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
PRIMARY = """
<DBInstance>
  <DBInstanceIdentifier>sluice-primary</DBInstanceIdentifier>
  <DBInstanceStatus>available</DBInstanceStatus>
  <DBInstanceArn>arn:aws:rds:eu-west-1:123456789012:db:sluice-primary</DBInstanceArn>
  <DbiResourceId>db-ABCDEFGHIJKL</DbiResourceId>
  <DBInstanceClass>db.t4g.medium</DBInstanceClass>
  <Engine>mariadb</Engine>
  <Endpoint><Address>sluice-primary.abc.eu-west-1.rds.amazonaws.com</Address><Port>3306</Port></Endpoint>
  <BackupRetentionPeriod>7</BackupRetentionPeriod>
  <MultiAZ>true</MultiAZ>
  <PendingModifiedValues><MasterUserPassword>****</MasterUserPassword></PendingModifiedValues>
  <DBParameterGroups><DBParameterGroup>
    <DBParameterGroupName>sluice-primary-11</DBParameterGroupName>
    <ParameterApplyStatus>pending-reboot</ParameterApplyStatus>
  </DBParameterGroup></DBParameterGroups>
</DBInstance>
"""


def answer(operation: str, content: str) -> tuple[int, str]:
    """The answer of an operation."""
    result = f"<{operation}Result>{content}</{operation}Result>"
    return 200, f'<{operation}Response xmlns="{NAMESPACE}">{result}</{operation}Response>'


def refuse(code: str, status: int = 400) -> tuple[int, str]:
    """An error. Its message must not reach anybody, because it can quote the request."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{code}, says RDS</Message></Error>"
    return status, f'<ErrorResponse xmlns="{NAMESPACE}">{error}<RequestId>1</RequestId></ErrorResponse>'


class RdsAnswers:
    """The server. `answers` are taken one by one for each operation; `requests` are the operations with parameters."""

    def __init__(self) -> None:
        self.answers: defaultdict[str, deque[tuple[int, str]]] = defaultdict(deque)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._create_handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def add(self, operation: str, content: str) -> None:
        """Answer the next request of an operation."""
        self.answers[operation].append(answer(operation, content))

    def refuse(self, operation: str, code: str, status: int = 400) -> None:
        """Answer the next request of an operation with an error."""
        self.answers[operation].append(refuse(code, status))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _create_handler(rds) -> type[BaseHTTPRequestHandler]:  # noqa: N805  the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                parameters = dict(parse_qsl(body, keep_blank_values=True))
                operation = parameters.pop("Action")
                parameters.pop("Version")
                rds.requests.append((operation, parameters))
                status, text = rds.answers[operation].popleft() if rds.answers[operation] else answer(operation, "")
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
                pass

        return Handler
