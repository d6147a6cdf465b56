"""The command line: parse the arguments, run the command, print its result or its error."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from ops.arguments import add_common_arguments
from ops.aws import Stack, choose_target
from ops.aws_errors import explain_aws_error
from ops.commands import clients, executions, quarantine, rebuild, recover, replay, status
from ops.commands import rejected_writes as rejects
from ops.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_USAGE_ERROR, OperationError, UsageError, WaitInterrupted
from ops.output import CommandResult, escape_control_characters, print_error, print_result

COMMANDS: dict[str, tuple[Any, str]] = {
    "status": (status, "the database, what waits, and what wants attention"),
    "replay": (replay, "load what the ledger lacks"),
    "recover": (recover, "wait for the database, replay what is missing, report"),
    "rebuild": (rebuild, "make the tables anew from S3 and swap them in"),
    "executions": (executions, "what the workflows do and did"),
    "quarantine": (quarantine, "batches that cannot be read: list, retry, drop"),
    "rejects": (rejects, "single writes that could not be taken: list, retry, drop"),
    "clients": (clients, "who has a key, where there is a usage plan: list, add, block, unblock, remove"),
}


class ArgumentParser(argparse.ArgumentParser):
    """A parser that says in one sentence what it does not understand."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see `{self.prog} --help`.")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. Parsing raises Mistake."""
    found = ArgumentParser(
        prog="sluice",
        description="Operate a deployed Sluice stack; without --stack-name, the local one when it runs.",
        epilog="Exit codes: 0 done, 1 something remains or failed, 2 a mistake in what was asked, 130 interrupted.",
    )
    add_common_arguments(found, default=None)
    verbs = found.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, help_) in COMMANDS.items():
        verb = verbs.add_parser(name, help=help_, description=f"{help_[:1].upper()}{help_[1:]}.")
        verb.set_defaults(run=module.run)
        module.add_arguments(verb)
        add_common_arguments(verb)
    return found


def run_command_line(words: Sequence[str] | None = None) -> int:
    """Do what the words say (default: the command line's); print the outcome, and return the exit code."""
    try:
        arguments = build_parser().parse_args(words)
        stack = Stack(choose_target(arguments.stack_name, arguments.region, arguments.profile))
        outcome: CommandResult = arguments.run(stack, arguments)
        print_result(outcome, as_json=arguments.json)
    except UsageError as mistake:
        return _report_error(str(mistake), EXIT_USAGE_ERROR)
    except OperationError as failure:
        return _report_error(str(failure), EXIT_INCOMPLETE)
    except WaitInterrupted as interrupted:
        return _report_error(str(interrupted), EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        return _report_error("Interrupted.", EXIT_INTERRUPTED)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        sentence, mistaken = explain_aws_error(error)
        return _report_error(sentence, EXIT_USAGE_ERROR if mistaken else EXIT_INCOMPLETE)
    return outcome.exit_code


def _report_error(sentence: str, code: int) -> int:
    print_error(f"sluice: {escape_control_characters(' '.join(sentence.split()))}")
    return code
