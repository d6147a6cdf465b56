"""`sluice clients`: who has a key, where the stack has a usage plan."""

import argparse
import re

from ops.clients import Client, add, clients, let_in, remove
from ops.common import add_common
from ops.confirming import confirm
from ops.outcome import Mistake, Outcome
from ops.printing import table
from ops.stack import Stack

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")

_HELPS = {
    "list": "show them",
    "add": "make a key, and print it once",
    "block": "let nobody in by its key, until it is unblocked",
    "unblock": "let it in again",
    "remove": "delete its key",
}
_DONE = {"block": "blocked", "unblock": "unblocked"}


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar=" | ".join(_HELPS))
    for name, help_ in _HELPS.items():
        action = actions.add_parser(name, help=help_)
        if name != "list":
            action.add_argument("client", metavar="CLIENT", help="the client's name")
        if name == "remove":
            action.add_argument("--yes", metavar="NAME", help="the stack's name: confirms without asking")
        add_common(action)


def run(stack: Stack, arguments: argparse.Namespace) -> Outcome:
    """List, add, block, unblock or remove. Raises Mistake."""
    found = clients(stack)
    if arguments.action == "list":
        rows = [(one.name, one.id, one.since, "blocked" if one.blocked else "") for one in found]
        lines = table(("client", "key's id", "since", ""), rows) if rows else ["no client has a key"]
        return Outcome([vars(one) for one in found], lines)
    if arguments.action == "add":
        return _add(stack, arguments.client, found)
    chosen = next((one for one in found if one.name == arguments.client), None)
    if chosen is None:
        raise Mistake(f"There is no client {arguments.client}; `sluice clients list` shows who there is.")
    if arguments.action == "remove":
        confirm(stack.name, f"deletes the key of {chosen.name}, which {stack.name} then refuses", arguments.yes)
        remove(stack, chosen)
        return Outcome({"removed": chosen.name}, [f"removed {chosen.name}"])
    let_in(stack, chosen, yes=arguments.action == "unblock")
    done = _DONE[arguments.action]
    return Outcome({done: chosen.name}, [f"{done} {chosen.name}"])


def _add(stack: Stack, name: str, found: list[Client]) -> Outcome:
    if not _NAME.fullmatch(name):
        raise Mistake("A client's name has up to 64 letters, digits, spaces, dots, underscores and hyphens.")
    if any(one.name == name for one in found):
        raise Mistake(f"There is a client {name} already; remove it first, or choose another name.")
    client, value = add(stack, name)
    lines = [f"added {name}; its requests have the header", "", f"    x-api-key: {value}", "", "It is not shown again."]
    return Outcome({**vars(client), "key": value}, lines)
