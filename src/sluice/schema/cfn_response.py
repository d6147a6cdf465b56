"""Send the response of a CloudFormation custom resource: once, and small enough for CloudFormation to accept."""

import json
import threading
from typing import Any, Literal

import urllib3

from sluice.errors import ResponseNotDelivered

# CloudFormation accepts 4,096 bytes in all. The function's log has the full texts.
_MAX_REASON_BYTES, _MAX_DATA_BYTES = 1600, 500
_RETRY = urllib3.Retry(
    total=4, backoff_factor=0.5, backoff_jitter=0.5, status_forcelist=(500, 502, 503, 504), allowed_methods=("PUT",)
)


class CloudFormationResponse:
    """The only response to one request. The first caller of `send` decides it."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._sent = False

    def send(
        self, status: Literal["SUCCESS", "FAILED"], reason: str, *, physical_id: str | None = None, **data: str
    ) -> bool:
        """Put the response at the request's URL. Returns False when a response was sent before.

        Without `physical_id`, the resource keeps the id that it has. Raises ResponseNotDelivered; the response may then
        be sent again.
        """
        with self._lock:
            if self._sent:
                return False
            self._put(json.dumps(self._build_body(status, reason, physical_id, data)))
            self._sent = True
            return True

    def _build_body(self, status: str, reason: str, physical_id: str | None, data: dict[str, str]) -> dict[str, Any]:
        request = self._request
        return {
            "Status": status,
            "Reason": _truncate(reason, _MAX_REASON_BYTES),
            "PhysicalResourceId": physical_id or request.get("PhysicalResourceId") or request["LogicalResourceId"],
            "StackId": request["StackId"],
            "RequestId": request["RequestId"],
            "LogicalResourceId": request["LogicalResourceId"],
            "Data": {name: _truncate(value, _MAX_DATA_BYTES) for name, value in data.items()},
        }

    def _put(self, body: str) -> None:
        try:
            # The URL is signed without a content type, so the request must not have one.
            response = urllib3.request(
                "PUT", self._request["ResponseURL"], body=body, headers={"Content-Type": ""}, retries=_RETRY, timeout=5
            )
        except urllib3.exceptions.HTTPError as error:
            # The message has the signed URL, with which anyone could respond.
            raise ResponseNotDelivered(
                f"The response could not be sent to CloudFormation: {type(error).__name__}"
            ) from None
        if response.status >= 300:
            raise ResponseNotDelivered(f"The response could not be sent to CloudFormation: status {response.status}")


def _truncate(text: str, max_bytes: int) -> str:
    """Cut a text so that its JSON has at most `max_bytes` bytes."""
    encoded = json.dumps(text)[1:-1]
    if len(encoded) <= max_bytes:
        return text
    while len(json.dumps(text)) > max_bytes - 20:
        text = text[: -max(1, len(text) // 20)]
    return f"{text} ... (more in the log)"
