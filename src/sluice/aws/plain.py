"""A service asked by ourselves: signed JSON over a warm connection."""

import time
from typing import Any

import msgspec

from sluice.aws import retrying, surroundings
from sluice.aws.connections import Endpoint
from sluice.aws.faults import AwsError
from sluice.aws.service import Service
from sluice.aws.signing import signed
from sluice.tracing import Segment, part


class PlainClient:
    """Signs and posts JSON, and tries again what may succeed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._endpoint = Endpoint(
            surroundings.endpoint(service.name, service.variable),
            connect_seconds=service.connect_seconds,
            read_seconds=service.read_seconds,
        )
        # Lambda makes both when it starts the process, and leaves them as they are.
        self._region = surroundings.region()
        self._credentials = surroundings.credentials()
        self._purse = retrying.Purse()

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See sluice.aws.service.Client."""
        body = msgspec.json.encode(parameters)
        with part(self.service.name, "aws") as segment:
            segment.about(operation=operation, region=self._region)
            retries = 0
            while True:
                try:
                    answer = self._ask(operation, body, segment)
                except AwsError as error:
                    last = retries + 1 == self.service.tries
                    if last or not retrying.worth_another(error) or not self._purse.pay():
                        segment.about(retries=retries)
                        error.operation = operation
                        raise
                    retries += 1
                    time.sleep(retrying.pause(retries))
                else:
                    segment.about(retries=retries)
                    self._purse.succeeded(retries)
                    return answer

    def _ask(self, operation: str, body: bytes, segment: Segment) -> dict[str, Any]:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._endpoint.host,
            "x-amz-target": f"{self.service.target}.{operation}",
        }
        scope = (self._region, self.service.name)
        headers = signed(headers, body, scope, self._credentials, time.time())
        status, found, content = self._endpoint.post(body, headers | segment.headers())
        segment.answered(status, found.get("x-amzn-requestid", ""))
        if status == 200:
            return _decoded(content)
        raise AwsError(_code(found.get("x-amzn-query-error", ""), content) or str(status), status=status)


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise AwsError("ResponseParserError") from None


def _code(header: str, content: bytes) -> str:
    """The error's code: in a header, or in the body, where it may stand between a namespace and a remark."""
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    known = body if isinstance(body, dict) else {}
    told = header.split(";", maxsplit=1)[0] or str(known.get("__type") or known.get("code") or "")
    return told.split(":")[0].rsplit("#", 1)[-1]
