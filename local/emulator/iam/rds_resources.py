"""Gap: MiniStack authorizes most operations of RDS on the resource `*`, so that a policy that names instances denies
them.

Here an operation is authorized on the instance, the snapshot or the resource that it changes or describes: see
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html. Where AWS
wants rights on several resources (a restore: also on the parameter group and the subnet group), only the new instance
counts.
"""

from types import SimpleNamespace
from typing import Any

from ministack.core import iam_actions

from local.emulator.patching import replace_function

_original = SimpleNamespace()

# The kind of ARN by the parameter that names the resource, in the order in which they are looked for.
_SUBJECTS = (
    ("TargetDBInstanceIdentifier", "db"),
    ("DBInstanceIdentifier", "db"),
    ("DBSnapshotIdentifier", "snapshot"),
)
# The kind that an operation on all resources is authorized on.
_LISTS = {"DescribeDBInstances": "db", "DescribeDBSnapshots": "snapshot"}


def _extract_resource_arn(service: str, *request: Any) -> Any:
    """`request` is method, path, headers, body, query, region and account."""
    *_, query, region, account = request
    return (service == "rds" and _find_arn(query, region, account)) or _original.extract_resource_arn(service, *request)


def _find_arn(query: Any, region: str, account: str) -> str:
    def get(name: str) -> str:
        value = query.get(name, "")
        return str((value or [""])[0] if isinstance(value, list) else value)

    if arn := get("ResourceName"):
        return arn
    action = get("Action")
    if action == "DescribeDBInstanceAutomatedBackups":
        return f"arn:aws:rds:{region}:{account}:auto-backup:*"
    for name, kind in _SUBJECTS:
        if value := get(name):
            return value if value.startswith("arn:") else f"arn:aws:rds:{region}:{account}:{kind}:{value}"
    return f"arn:aws:rds:{region}:{account}:{_LISTS[action]}:*" if action in _LISTS else ""


def patch() -> None:
    _original.extract_resource_arn = replace_function(
        iam_actions, "extract_resource_arn", "82f51700695c", _extract_resource_arn
    )
