"""A service asked by ourselves: signed JSON over a warm connection."""

import time
from typing import Any

import msgspec

from sluice.aws import lambda_environment as surroundings
from sluice.aws import retry as retrying
from sluice.aws.client import Service
from sluice.aws.connection import Endpoint
from sluice.aws.signing import sign_headers
from sluice.aws.tracing import Subsegment, create_subsegment
from sluice.errors import AwsError


class JsonClient:
    """Signs and posts JSON, and tries again what may succeed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._endpoint = Endpoint(
            surroundings.endpoint_url(service.name, service.endpoint_variable),
            connect_seconds=service.connect_seconds,
            read_seconds=service.read_seconds,
        )
        # Lambda makes both when it starts the process, and leaves them as they are.
        self._region = surroundings.aws_region()
        self._credentials = surroundings.role_credentials()
        self._purse = retrying.RetryBudget()

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """See sluice.aws.client.AwsClient."""
        body = msgspec.json.encode(parameters)
        with create_subsegment(self.service.name, "aws") as segment:
            segment.add_aws_fields(operation=operation, region=self._region)
            retries = 0
            while True:
                try:
                    answer = self._ask(operation, body, segment)
                except AwsError as error:
                    last = retries + 1 == self.service.max_attempts
                    if last or not retrying.is_retryable(error) or not self._purse.acquire():
                        segment.add_aws_fields(retries=retries)
                        error.operation = operation
                        raise
                    retries += 1
                    time.sleep(retrying.backoff_seconds(retries))
                else:
                    segment.add_aws_fields(retries=retries)
                    self._purse.release(retries)
                    return answer

    def _ask(self, operation: str, body: bytes, segment: Subsegment) -> dict[str, Any]:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._endpoint.host,
            "x-amz-target": f"{self.service.target_prefix}.{operation}",
        }
        scope = (self._region, self.service.name)
        headers = sign_headers(headers, body, scope, self._credentials, time.time())
        status, found, content = self._endpoint.post(body, headers | segment.trace_headers())
        segment.set_response(status, found.get("x-amzn-requestid", ""))
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
