"""Clients with a key each, in the usage plan of the stack. A key's value is given once, and never asked for again."""

from dataclasses import dataclass
from typing import Any

from ops.moments import written
from ops.outcome import Mistake
from ops.stack import Stack


@dataclass(frozen=True)
class Client:
    """A client that has a key. `id` is the key's, which stands in the access log."""

    name: str
    id: str
    blocked: bool
    since: str


def plan_of(stack: Stack) -> str:
    """The id of the usage plan. Raises Mistake where the stack has none."""
    if "ClientPlanId" not in stack.outputs:
        raise Mistake(f"The stack {stack.name} has no usage plan for clients: deploy it with a ClientRate first.")
    return stack.output("ClientPlanId")


def clients(stack: Stack) -> list[Client]:
    """All of them, by name."""
    gateway = stack.client("apigateway")
    pages = gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan_of(stack))
    found = [gateway.get_api_key(apiKey=one["id"]) for page in pages for one in page["items"]]
    return sorted((_client(key) for key in found), key=lambda client: client.name)


def add(stack: Stack, name: str) -> tuple[Client, str]:
    """Make a key and put it into the plan; returns the client, and the key's value."""
    gateway = stack.client("apigateway")
    key = gateway.create_api_key(name=name, description=f"Client of {stack.name}", enabled=True)
    try:
        gateway.create_usage_plan_key(usagePlanId=plan_of(stack), keyId=key["id"], keyType="API_KEY")
    except BaseException:
        # Outside of the plan it lets nobody in, and nobody would find it again.
        gateway.delete_api_key(apiKey=key["id"])
        raise
    return _client(key), str(key["value"])


def let_in(stack: Stack, client: Client, *, yes: bool) -> None:
    """Let a client's key hold, or not."""
    operation = {"op": "replace", "path": "/enabled", "value": str(yes).lower()}
    stack.client("apigateway").update_api_key(apiKey=client.id, patchOperations=[operation])


def remove(stack: Stack, client: Client) -> None:
    """Take a client out of the plan and delete its key."""
    gateway = stack.client("apigateway")
    gateway.delete_usage_plan_key(usagePlanId=plan_of(stack), keyId=client.id)
    gateway.delete_api_key(apiKey=client.id)


def _client(key: dict[str, Any]) -> Client:
    return Client(key["name"], key["id"], not key["enabled"], written(key["createdDate"]))
