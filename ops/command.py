"""The command line: what can be said, and whose turn it is then."""

import argparse
from typing import Any, NoReturn

from ops.common import add_common
from ops.outcome import Mistake
from ops.verbs import clients, executions, quarantine, rebuild, recover, rejects, replay, status

VERBS: dict[str, tuple[Any, str]] = {
    "status": (status, "the database, what waits, and what wants attention"),
    "replay": (replay, "load what the ledger lacks"),
    "recover": (recover, "wait for the database, replay what is missing, report"),
    "rebuild": (rebuild, "make the tables anew from S3 and swap them in"),
    "executions": (executions, "what the workflows do and did"),
    "quarantine": (quarantine, "batches that cannot be read: list, retry, drop"),
    "rejects": (rejects, "single writes that could not be taken: list, retry, drop"),
    "clients": (clients, "who has a key, where there is a usage plan: list, add, block, unblock, remove"),
}


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what it does not understand."""

    def error(self, message: str) -> NoReturn:
        raise Mistake(f"{message[:1].upper()}{message[1:]}; see `{self.prog} --help`.")


def parser() -> argparse.ArgumentParser:
    """The whole command line. Parsing raises Mistake."""
    found = Parser(
        prog="sluice",
        description="Operate a deployed Sluice stack; without --stack-name, the local one when it runs.",
        epilog="Exit codes: 0 done, 1 something remains or failed, 2 a mistake in what was asked, 130 interrupted.",
    )
    add_common(found, default=None)
    verbs = found.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, help_) in VERBS.items():
        verb = verbs.add_parser(name, help=help_, description=f"{help_[:1].upper()}{help_[1:]}.")
        verb.set_defaults(run=module.run)
        module.describe(verb)
        add_common(verb)
    return found
