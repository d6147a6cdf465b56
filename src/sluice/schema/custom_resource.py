"""CloudFormation's custom resource: read which deployment a request is for, and respond to it.

CloudFormation rolls back by another update, with the properties of before, and no flag says so. But it keeps the
physical id of a custom resource and passes it to every call. So this id lists the deployments whose migration
succeeded, the newest first: an update to one of them is a rollback. An update that fails leaves the id as it is.
A changed id makes CloudFormation delete the "old" resource after the update, which this resource answers at once.

So a rollback differs from a new deployment also while the database is unavailable.
"""

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any, Literal

import urllib3

from sluice.errors import ResponseNotDelivered

# A physical id has at most 1,024 bytes.
_LISTED_DEPLOYMENTS, _LISTED_DIGITS = 32, 16
# CloudFormation accepts 4,096 bytes in all. The function's log has the full texts.
_MAX_REASON_BYTES, _MAX_DATA_BYTES = 1600, 500
_RETRY = urllib3.Retry(
    total=4, backoff_factor=0.5, backoff_jitter=0.5, status_forcelist=(500, 502, 503, 504), allowed_methods=("PUT",)
)


@dataclass(frozen=True)
class Deployment:
    """What one update of the stack wants: `id` has 64 hexadecimal digits. `_migrated` has the start of each id."""

    id: str
    _previous: str
    _migrated: tuple[str, ...]

    @property
    def is_rollback(self) -> bool:
        """Whether the schema was migrated for this deployment before, so that its code can use the schema as it is."""
        return _shorten(self.id) in self._migrated

    def build_physical_id(self, logical_id: str) -> str:
        """The physical id after the migration for this deployment succeeded."""
        # The previous deployment comes next: a rollback of this update goes back to it.
        first = [_shorten(self.id), *(name for name in self._migrated if name == _shorten(self._previous))]
        listed = dict.fromkeys((*first, *self._migrated))
        return " ".join((logical_id, *list(listed)[:_LISTED_DEPLOYMENTS]))


def read_deployment(request: dict[str, Any]) -> Deployment:
    """The deployment of CloudFormation's request."""
    _, *migrated = request.get("PhysicalResourceId", "").split(" ")
    return Deployment(
        _compute_id(request["StackId"], request.get("ResourceProperties", {})),
        _compute_id(request["StackId"], request.get("OldResourceProperties", {})),
        tuple(migrated),
    )


def _compute_id(stack: str, properties: dict[str, Any]) -> str:
    """Never change this: the code of either side of an update may read the ids of the other."""
    properties = {name: value for name, value in properties.items() if name != "ServiceToken"}
    return hashlib.sha256(json.dumps([stack, properties], sort_keys=True).encode()).hexdigest()


def _shorten(deployment_id: str) -> str:
    return deployment_id[:_LISTED_DIGITS]


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
