"""The command line: parse the arguments, run the command, print its result or its error."""

import argparse
from collections.abc import Sequence

from ops.arguments import ArgumentParser, add_common_arguments, format_sentence
from ops.aws import Stack, choose_target
from ops.aws_errors import AWS_ERRORS, explain_error
from ops.commands import (
    CommandModule,
    clients,
    console,
    cost,
    deploy,
    executions,
    explain,
    export,
    import_,
    new,
    preflight,
    prove_backup,
    quarantine,
    rebuild,
    recover,
    rejected_writes,
    replay,
    restore,
    status,
    verify,
)
from ops.errors import CommandError, WaitInterrupted
from ops.output import CommandResult, print_result, report_error

COMMANDS: dict[str, CommandModule] = {
    "new": new,
    "import": import_,
    "export": export,
    "preflight": preflight,
    "deploy": deploy,
    "explain": explain,
    "cost": cost,
    "verify": verify,
    "status": status,
    "console": console,
    "replay": replay,
    "recover": recover,
    "rebuild": rebuild,
    "restore": restore,
    "prove-backup": prove_backup,
    "executions": executions,
    "quarantine": quarantine,
    "rejected-writes": rejected_writes,
    "clients": clients,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; `docs/reference/cli.md` is generated from it. Parsing raises UsageError."""
    parser = ArgumentParser(
        prog="sluice",
        description="Operate a deployed Sluice stack: without --stack-name, the local one.",
        epilog="Exit codes: 0 success; 1 the operation failed or is incomplete; 2 usage error; 130 interrupted.",
    )
    add_common_arguments(parser, default=None)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.SUMMARY, description=format_sentence(command.SUMMARY))
        subparser.set_defaults(run=command.run, choose_stack=getattr(command, "choose_stack", choose_deployed_stack))
        command.add_arguments(subparser)
        add_common_arguments(subparser)
    return parser


def choose_deployed_stack(arguments: argparse.Namespace) -> Stack:
    """The stack that the common arguments name. A command that runs before a deploy has a `choose_stack` of its own."""
    return Stack(choose_target(arguments.stack_name, arguments.region, arguments.profile))


def run_command_line(words: Sequence[str] | None = None) -> int:
    """Run the command line `words` (default: that of the process), and return the exit code."""
    try:
        arguments = build_parser().parse_args(words)
        stack = arguments.choose_stack(arguments)
        result: CommandResult = arguments.run(stack, arguments)
        print_result(result, as_json=arguments.json)
    except KeyboardInterrupt:
        return report_error(WaitInterrupted("Interrupted."))
    except (CommandError, *AWS_ERRORS) as error:
        return report_error(explain_error(error))
    return result.exit_code
