"""`sluice clients`: API clients with a key each, in the usage plan of the stack.

The value of a key is printed once, when the client is added, and never read again.
"""

import argparse
import re
from dataclasses import dataclass
from typing import Any

from ops.arguments import add_action_parsers, add_confirmation_argument
from ops.aws import Stack
from ops.errors import UsageError
from ops.output import CommandResult, format_table, require_confirmation
from ops.times import format_time

SUMMARY = "list, add, block, unblock or remove API clients"

_ACTIONS = {
    "list": "list the clients",
    "add": "create a client with a key, and print the key once",
    "block": "refuse the key of a client until it is unblocked",
    "unblock": "accept the key of a client again",
    "remove": "delete a client and its key",
}
_PAST_TENSE = {"block": "blocked", "unblock": "unblocked"}
_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


@dataclass(frozen=True)
class Client:
    """A client. `id` is the id of its key, which the access log contains; `since` is in UTC."""

    name: str
    id: str
    blocked: bool
    since: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command and their arguments."""
    actions = add_action_parsers(parser, _ACTIONS)
    for name, action in actions.items():
        if name != "list":
            action.add_argument("client", metavar="CLIENT", help="name of the client")
    add_confirmation_argument(actions["remove"])


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List, add, block, unblock or remove clients. Raises UsageError."""
    clients = list_clients(stack)
    if arguments.action == "list":
        rows = [(client.name, client.id, client.since, "blocked" if client.blocked else "") for client in clients]
        lines = format_table(("client", "key id", "since", ""), rows) if rows else ["there are no clients"]
        return CommandResult([vars(client) for client in clients], lines)
    if arguments.action == "add":
        return _add_client(stack, arguments.client, clients)
    chosen = next((client for client in clients if client.name == arguments.client), None)
    if chosen is None:
        raise UsageError(f"There is no client {arguments.client}.", "`sluice clients list` lists the clients.")
    if arguments.action == "remove":
        effect = f"deletes the key of {chosen.name}; {stack.name} refuses it from then on"
        require_confirmation(stack.name, effect, arguments.yes)
        delete_client(stack, chosen)
        return CommandResult({"removed": chosen.name}, [f"removed {chosen.name}"])
    set_client_enabled(stack, chosen, enabled=arguments.action == "unblock")
    done = _PAST_TENSE[arguments.action]
    return CommandResult({done: chosen.name}, [f"{done} {chosen.name}"])


def _add_client(stack: Stack, name: str, clients: list[Client]) -> CommandResult:
    if not _CLIENT_NAME.fullmatch(name):
        raise UsageError(
            "The name of a client has 1 to 64 letters, digits, spaces, dots, underscores and hyphens, and starts with "
            "a letter or a digit."
        )
    if any(client.name == name for client in clients):
        raise UsageError(f"The client {name} exists already.", "Remove it first, or choose another name.")
    client, key_value = create_client(stack, name)
    lines = [
        f"added {name}; its requests need this header",
        "",
        f"    x-api-key: {key_value}",
        "",
        "The key is not shown again.",
    ]
    return CommandResult({**vars(client), "key": key_value}, lines)


def get_usage_plan_id(stack: Stack) -> str:
    """The id of the usage plan. Raises UsageError when the stack has none."""
    if "ClientPlanId" not in stack.outputs:
        raise UsageError(f"The stack {stack.name} has no usage plan for clients.", "Deploy it with a ClientRate.")
    return stack.output("ClientPlanId")


def list_clients(stack: Stack) -> list[Client]:
    """All clients, sorted by name."""
    gateway = stack.client("apigateway")
    pages = gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=get_usage_plan_id(stack))
    keys = [gateway.get_api_key(apiKey=entry["id"]) for page in pages for entry in page["items"]]
    return sorted(map(_parse_client, keys), key=lambda client: client.name)


def create_client(stack: Stack, name: str) -> tuple[Client, str]:
    """Create a key and add it to the usage plan. Returns the client and the value of its key."""
    gateway = stack.client("apigateway")
    key = gateway.create_api_key(name=name, description=f"Client of {stack.name}", enabled=True)
    try:
        gateway.create_usage_plan_key(usagePlanId=get_usage_plan_id(stack), keyId=key["id"], keyType="API_KEY")
    except BaseException:
        # A key outside the plan gives no access, and no command lists it.
        gateway.delete_api_key(apiKey=key["id"])
        raise
    return _parse_client(key), str(key["value"])


def set_client_enabled(stack: Stack, client: Client, *, enabled: bool) -> None:
    """Enable or disable the key of a client."""
    operation = {"op": "replace", "path": "/enabled", "value": str(enabled).lower()}
    stack.client("apigateway").update_api_key(apiKey=client.id, patchOperations=[operation])


def delete_client(stack: Stack, client: Client) -> None:
    """Remove the key of a client from the usage plan, and delete it."""
    gateway = stack.client("apigateway")
    gateway.delete_usage_plan_key(usagePlanId=get_usage_plan_id(stack), keyId=client.id)
    gateway.delete_api_key(apiKey=client.id)


def _parse_client(key: dict[str, Any]) -> Client:
    return Client(key["name"], key["id"], not key["enabled"], format_time(key["createdDate"]))
