"""Which deployments the schema was migrated for. Their return is no new wish: CloudFormation is rolling back.

A rollback runs the earlier code's migration on the later schema. What the later one added is allowed by its nature
(the earlier code lives with it), but would be refused when wished for: a wider text would be narrowed, a field removed.
Refusing it would leave the stack stuck, so for a deployment that was in force before it is left as it is.
"""

import hashlib
import json
from typing import Any

from sluice.schema.ddl_executor import Executor


def compute_deployment_id(event: dict[str, Any]) -> str:
    """A deployment's name: the stack and all that it told the custom resource."""
    told = {name: value for name, value in event.get("ResourceProperties", {}).items() if name != "ServiceToken"}
    return hashlib.sha256(json.dumps([event["StackId"], told], sort_keys=True).encode()).hexdigest()


def was_deployed(executor: Executor, schema: str, deployment: str) -> bool:
    """Whether a migration for this deployment was completed before."""
    known = executor.run(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = 'migrations'", (schema,)
    )
    return bool(known and executor.run("SELECT 1 FROM migrations WHERE deployment = %s", (deployment,)))


def record_deployment(executor: Executor, deployment: str, changes: list[str]) -> None:
    """Write down that the schema is migrated for a deployment, and what that took."""
    executor.run(
        "INSERT INTO migrations (deployment, migrated_at, changes) VALUES (%s, UTC_TIMESTAMP(6), %s) "
        "ON DUPLICATE KEY UPDATE migrated_at = VALUES(migrated_at), changes = VALUES(changes)",
        (deployment, "\n".join(changes)),
    )
