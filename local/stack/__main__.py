"""Control the local stack: python -m local.stack COMMAND; `--help` lists the commands."""

import argparse
import datetime
import json
import os
import sys
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.database.backups import request_backup
from local.database.replica_count import DEFAULT_REPLICAS, MAX_REPLICAS
from local.process import LocalError
from local.stack.folder import REPOSITORY, StackFolder
from local.stack.invocation import invoke
from local.stack.lifecycle import down, up
from local.stack.parameters import read_template_default
from local.stack.resource_check import check_resource_classes
from local.stack.sam import TEMPLATE, build_template, refresh_api_definition
from local.stack.stack import Stack
from local.stack.status import describe_stack, list_log_files, read_last_lines
from ops.errors import CommandError
from ops.samconfig import read_parameters


def main() -> int:
    """Run the command line; returns the exit code."""
    arguments = _build_parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except LocalError as error:
        _report_error(error)
    except CommandError as error:
        print(f"sluice: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"sluice: the emulator returned an error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("sluice: interrupted; run `make up` or `make down` again", file=sys.stderr)
    return 1


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description="Control the local stack.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("up", help="start what does not run; build and deploy what changed")
    command.add_argument(
        "--replicas",
        type=int,
        choices=range(MAX_REPLICAS + 1),
        help=f"number of replicas from now on; {DEFAULT_REPLICAS} at first. A smaller number deletes the last ones",
    )
    command.set_defaults(run=_run_up)

    command = commands.add_parser("down", help="stop everything and keep the data")
    command.add_argument("--delete", action="store_true", help="also delete the data")
    command.set_defaults(run=_run_down)

    command = commands.add_parser("outage", help="kill the primary, and start it again after some seconds")
    command.add_argument("--seconds", type=float, default=10.0, help="how long it is down (default: %(default)s)")
    command.set_defaults(run=_run_outage)

    command = commands.add_parser("backup", help="take an automated snapshot of the primary now")
    command.set_defaults(run=_run_backup)

    command = commands.add_parser("status", help="show what runs, and its addresses; exit code 1 unless all runs")
    command.set_defaults(run=_run_status)

    command = commands.add_parser("build", help="sam build for AWS, plus compiled bytecode, into .aws-sam/build")
    command.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    command.add_argument(
        "--runtime", help="for example python3.13 (default: from samconfig.toml, else from the template)"
    )
    command.add_argument("--architecture", choices=["arm64", "x86_64"], help="(default: the same)")
    command.set_defaults(run=_run_build)

    command = commands.add_parser("invoke", help="run one function or workflow")
    command.add_argument("name", metavar="FUNCTION", help="for example Put or LoadBatch")
    command.add_argument("event", metavar="EVENT", type=Path, help="for example events/transform/good_and_bad.json")
    command.set_defaults(run=_run_invoke)

    commands.add_parser("address", help="print the URL of the API").set_defaults(run=_run_address)

    command = commands.add_parser("token", help="print an access token of the machine client, or of a person")
    command.add_argument("--person", metavar="NAME", help="the person; created if necessary")
    command.add_argument("--group", metavar="GROUP", action="append", default=[], help="add the person to this group")
    command.set_defaults(run=_run_token)

    command = commands.add_parser("logs", help="list the log files, or print the end of one log")
    command.add_argument("name", nargs="?", help="the name of a log, or the short name of a function")
    command.add_argument("--lines", type=int, default=40)
    command.set_defaults(run=_run_logs)
    return parser


def _run_up(arguments: argparse.Namespace) -> int:
    stack = up(replicas=arguments.replicas, report_progress=_report_progress)
    # Later commands need the folder, too, if it is not the default.
    prefix = f"SLUICE_LOCAL={stack.folder.root} " if "SLUICE_LOCAL" in os.environ else ""
    command = f"{prefix}{_shorten_path(Path(sys.executable))} -m local.stack"
    print(f"API    {stack.api_url}")
    print(f"token  TOKEN=$({command} token)")
    print(f"       TOKEN=$({command} token --person ada --group editors)")
    print(f'try    curl -H "Authorization: Bearer $TOKEN" {stack.api_url}/v1/')
    print(f"verify {prefix}./sluice verify")
    print(f"logs   {_shorten_path(stack.folder.logs)}; also: {command} logs Put")
    return 0


def _report_progress(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _report_error(error: LocalError) -> None:
    """Print the sentence as the last line."""
    if log := error.describe_log():
        print(log, file=sys.stderr)
    print(f"sluice: {error}", file=sys.stderr)


def _shorten_path(path: Path) -> Path:
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


def _run_outage(arguments: argparse.Namespace) -> int:
    servers = Stack.load().servers
    servers.primary.kill()
    time.sleep(arguments.seconds)
    servers.start()
    return 0


def _run_backup(_arguments: argparse.Namespace) -> int:
    snapshot = request_backup(Stack.load().folder.database)
    moment = datetime.datetime.fromtimestamp(snapshot.created, datetime.UTC)
    print(f"{snapshot.identifier}  complete at {moment:%Y-%m-%d %H:%M:%S} UTC")
    return 0


def _run_down(arguments: argparse.Namespace) -> int:
    down(delete=arguments.delete, report_progress=_report_progress)
    return 0


def _run_status(_arguments: argparse.Namespace) -> int:
    report, is_complete = describe_stack(StackFolder())
    print(report)
    return 0 if is_complete else 1


def _run_build(arguments: argparse.Namespace) -> int:
    check_resource_classes(_report_progress)
    refresh_api_definition()
    target = REPOSITORY / ".aws-sam" / "build"
    parameters = read_parameters(arguments.config_env)
    for name, option in (("Runtime", arguments.runtime), ("Architecture", arguments.architecture)):
        parameters[name] = option or parameters.get(name) or read_template_default(TEMPLATE, name)
    ca = os.environ.get("SLUICE_CA_BUNDLE")
    is_compiled = build_template(target, target.parent / "build.log", parameters, ca=Path(ca) if ca else None)
    if not is_compiled:
        _report_progress(f"no bytecode: {parameters['Runtime']} is not on this machine; cold starts will be slower")
    print(f"built {_shorten_path(target)} for {parameters['Runtime']} on {parameters['Architecture']}")
    return 0


def _run_invoke(arguments: argparse.Namespace) -> int:
    result = invoke(Stack.load(), arguments.name, arguments.event)
    print(f"status  {result.status}")
    print(f"output  {json.dumps(result.output, indent=2)}")
    print(f"log\n{result.log.rstrip()}")
    return 0 if result.succeeded else 1


def _run_address(_arguments: argparse.Namespace) -> int:
    print(Stack.load().api_url)
    return 0


def _run_token(arguments: argparse.Namespace) -> int:
    stack = Stack.load()
    person = arguments.person
    print(stack.person_token(person, tuple(arguments.group)) if person else stack.machine_token())
    return 0


def _run_logs(arguments: argparse.Namespace) -> int:
    folder = StackFolder()
    if arguments.name:
        print(read_last_lines(folder, arguments.name, arguments.lines))
    else:
        for name, path in list_log_files(folder).items():
            print(f"{name:9} {_shorten_path(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
