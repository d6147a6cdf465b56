"""Tell a rollback from a new deployment, also while the database is unavailable.

CloudFormation rolls back by another update, with the properties of before, and no flag says so. But it keeps the
physical id of a custom resource and passes it to every call. So this id lists the deployments whose migration
succeeded, the newest first: an update to one of them is a rollback. An update that fails leaves the id as it is.
A changed id makes CloudFormation delete the "old" resource after the update, which this resource answers at once.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

# A physical id has at most 1,024 bytes.
_LISTED_DEPLOYMENTS, _LISTED_DIGITS = 32, 16


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
