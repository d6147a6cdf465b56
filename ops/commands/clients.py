"""Clients with a key each, in the usage plan of the stack. A key's value is given once, and never asked for again.

`sluice clients`: who has a key, where the stack has a usage plan.
"""

import argparse
import re
from dataclasses import dataclass
from typing import Any

from ops.arguments import add_common_arguments
from ops.aws import Stack
from ops.errors import UsageError
from ops.output import CommandResult, format_table, require_confirmation
from ops.times import format_time


@dataclass(frozen=True)
class Client:
    """A client that has a key. `id` is the key's, which stands in the access log."""

    name: str
    id: str
    blocked: bool
    since: str


def get_usage_plan_id(stack: Stack) -> str:
    """The id of the usage plan. Raises Mistake where the stack has none."""
    if "ClientPlanId" not in stack.outputs:
        raise UsageError(f"The stack {stack.name} has no usage plan for clients: deploy it with a ClientRate first.")
    return stack.output("ClientPlanId")


def list_clients(stack: Stack) -> list[Client]:
    """All of them, by name."""
    gateway = stack.client("apigateway")
    pages = gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=get_usage_plan_id(stack))
    found = [gateway.get_api_key(apiKey=one["id"]) for page in pages for one in page["items"]]
    return sorted((_parse_client(key) for key in found), key=lambda client: client.name)


def create_client(stack: Stack, name: str) -> tuple[Client, str]:
    """Make a key and put it into the plan; returns the client, and the key's value."""
    gateway = stack.client("apigateway")
    key = gateway.create_api_key(name=name, description=f"Client of {stack.name}", enabled=True)
    try:
        gateway.create_usage_plan_key(usagePlanId=get_usage_plan_id(stack), keyId=key["id"], keyType="API_KEY")
    except BaseException:
        # Outside of the plan it lets nobody in, and nobody would find it again.
        gateway.delete_api_key(apiKey=key["id"])
        raise
    return _parse_client(key), str(key["value"])


def set_client_enabled(stack: Stack, client: Client, *, enabled: bool) -> None:
    """Let a client's key hold, or not."""
    operation = {"op": "replace", "path": "/enabled", "value": str(enabled).lower()}
    stack.client("apigateway").update_api_key(apiKey=client.id, patchOperations=[operation])


def delete_client(stack: Stack, client: Client) -> None:
    """Take a client out of the plan and delete its key."""
    gateway = stack.client("apigateway")
    gateway.delete_usage_plan_key(usagePlanId=get_usage_plan_id(stack), keyId=client.id)
    gateway.delete_api_key(apiKey=client.id)


def _parse_client(key: dict[str, Any]) -> Client:
    return Client(key["name"], key["id"], not key["enabled"], format_time(key["createdDate"]))


_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


_ACTIONS = {
    "list": "show them",
    "add": "make a key, and print it once",
    "block": "let nobody in by its key, until it is unblocked",
    "unblock": "let it in again",
    "remove": "delete its key",
}


_PAST_TENSE = {"block": "blocked", "unblock": "unblocked"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar=" | ".join(_ACTIONS))
    for name, help_ in _ACTIONS.items():
        action = actions.add_parser(name, help=help_)
        if name != "list":
            action.add_argument("client", metavar="CLIENT", help="the client's name")
        if name == "remove":
            action.add_argument("--yes", metavar="NAME", help="the stack's name: confirms without asking")
        add_common_arguments(action)


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """List, add, block, unblock or remove. Raises Mistake."""
    found = list_clients(stack)
    if arguments.action == "list":
        rows = [(one.name, one.id, one.since, "blocked" if one.blocked else "") for one in found]
        lines = format_table(("client", "key's id", "since", ""), rows) if rows else ["no client has a key"]
        return CommandResult([vars(one) for one in found], lines)
    if arguments.action == "add":
        return _add_client(stack, arguments.client, found)
    chosen = next((one for one in found if one.name == arguments.client), None)
    if chosen is None:
        raise UsageError(f"There is no client {arguments.client}; `sluice clients list` shows who there is.")
    if arguments.action == "remove":
        require_confirmation(
            stack.name, f"deletes the key of {chosen.name}, which {stack.name} then refuses", arguments.yes
        )
        delete_client(stack, chosen)
        return CommandResult({"removed": chosen.name}, [f"removed {chosen.name}"])
    set_client_enabled(stack, chosen, enabled=arguments.action == "unblock")
    done = _PAST_TENSE[arguments.action]
    return CommandResult({done: chosen.name}, [f"{done} {chosen.name}"])


def _add_client(stack: Stack, name: str, found: list[Client]) -> CommandResult:
    if not _CLIENT_NAME.fullmatch(name):
        raise UsageError("A client's name has up to 64 letters, digits, spaces, dots, underscores and hyphens.")
    if any(one.name == name for one in found):
        raise UsageError(f"There is a client {name} already; remove it first, or choose another name.")
    client, value = create_client(stack, name)
    lines = [f"added {name}; its requests have the header", "", f"    x-api-key: {value}", "", "It is not shown again."]
    return CommandResult({**vars(client), "key": value}, lines)
