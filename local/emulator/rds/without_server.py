"""Instances that CloudFormation made: they have no server here, so MiniStack goes on describing them.

A stack with ProvisionDatabase=true in the emulator has such instances. They can be listed, changed, deleted, and leave
final snapshots; nothing can be restored from those.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import rds

from local.emulator.rds.registry import Registry
from local.emulator.rds.xml import Request, Response

Handler = Callable[[Any], Response]

_INSTANCE_ACTIONS = ("DescribeDBInstances", "ModifyDBInstance", "DeleteDBInstance", "CreateDBSnapshot")
_SNAPSHOT_ACTIONS = ("DescribeDBSnapshots", "DeleteDBSnapshot")
_TAG_ACTIONS = ("ListTagsForResource", "AddTagsToResource")
# Requests for one of these get no list: MiniStack refuses the one for a snapshot, and does not know the other.
_UNLISTED = ("DBSnapshotIdentifier", "DbiResourceId")
_LISTS = {"DescribeDBInstances": "DBInstances", "DescribeDBSnapshots": "DBSnapshots"}


def add_instances_without_server(
    handlers: Mapping[str, Handler], originals: Mapping[str, Handler], registry: Registry
) -> dict[str, Handler]:
    """The handlers, which leave to MiniStack's what only MiniStack has, and add that to the lists."""
    routed = dict(handlers)
    for action in (*_INSTANCE_ACTIONS, *_SNAPSHOT_ACTIONS, *_TAG_ACTIONS):
        routed[action] = _route(action, handlers[action], originals[action], registry)
    return routed


def _route(action: str, own: Handler, original: Handler, registry: Registry) -> Handler:
    def handle(parameters: Any) -> Response:
        request = Request(parameters)
        if _is_only_in_ministack(action, request, registry):
            return original(parameters)
        response = own(parameters)
        if action in _LISTS and not any(request.get(name) for name in _UNLISTED):
            return _add_members(_LISTS[action], response, original(parameters))
        return response

    return handle


def _is_only_in_ministack(action: str, request: Request, registry: Registry) -> bool:
    if action in _TAG_ACTIONS:
        return registry.find(request.get("ResourceName")) is None
    if action in _SNAPSHOT_ACTIONS:
        return request.get("DBSnapshotIdentifier") in rds._snapshots
    identifier = request.get("DBInstanceIdentifier")
    return bool(identifier) and registry.find(identifier) is None and rds._resolve_instance(identifier) is not None


def _add_members(name: str, own: Response, other: Response) -> Response:
    """The first response with the members of the list in the second one, too."""
    status, headers, body = own
    members = re.search(rf"<{name}>(.*)</{name}>".encode(), other[2], re.DOTALL)
    if status != 200 or other[0] != 200 or not members:
        return own
    end = f"</{name}>".encode()
    return status, headers, body.replace(end, members.group(1) + end, 1)
