"""Send the response of a CloudFormation custom resource: once, and small enough for CloudFormation to accept."""

import json
import threading
from typing import Any, Literal

import urllib3

from sluice.errors import ResponseNotDelivered

# CloudFormation takes 4,096 bytes in all. The rest is in the function's log.
_REASON, _DATA = 1600, 500


_RETRY = urllib3.Retry(
    total=4, backoff_factor=0.5, backoff_jitter=0.5, status_forcelist=(500, 502, 503, 504), allowed_methods=("PUT",)
)


class CloudFormationResponse:
    """The one answer to one request, whoever gives it first."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._sent = False

    def send(self, status: Literal["SUCCESS", "FAILED"], reason: str, **data: str) -> bool:
        """Put the answer where CloudFormation waits for it; False when it was given before.

        Raises ResponseNotDelivered; it may then be sent again.
        """
        with self._lock:
            if self._sent:
                return False
            self._put(json.dumps(self._body(status, reason, data)))
            self._sent = True
            return True

    def _body(self, status: str, reason: str, data: dict[str, str]) -> dict[str, Any]:
        request = self._request
        return {
            "Status": status,
            "Reason": _truncate(reason, _REASON),
            # Stable for as long as the custom resource lives: another id would make CloudFormation delete the old one.
            "PhysicalResourceId": request.get("PhysicalResourceId") or request["LogicalResourceId"],
            "StackId": request["StackId"],
            "RequestId": request["RequestId"],
            "LogicalResourceId": request["LogicalResourceId"],
            "Data": {name: _truncate(value, _DATA) for name, value in data.items()},
        }

    def _put(self, body: str) -> None:
        try:
            # The address is signed without a content type, so none may be sent.
            answer = urllib3.request(
                "PUT", self._request["ResponseURL"], body=body, headers={"Content-Type": ""}, retries=_RETRY, timeout=5
            )
        except urllib3.exceptions.HTTPError as error:
            # Its message has the signed address, with which anyone could answer.
            raise ResponseNotDelivered(f"CloudFormation could not be answered: {type(error).__name__}") from None
        if answer.status >= 300:
            raise ResponseNotDelivered(f"CloudFormation could not be answered: status {answer.status}")


def _truncate(text: str, bytes_: int) -> str:
    encoded = json.dumps(text)[1:-1]
    if len(encoded) <= bytes_:
        return text
    while len(json.dumps(text)) > bytes_ - 20:
        text = text[: -max(1, len(text) // 20)]
    return f"{text} ... (more in the log)"
