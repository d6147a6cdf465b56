"""Control the local stack: python -m local.stack up | down | status | build | invoke | token | logs."""

import argparse
import json
import os
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.process import LocalError, read_tail
from local.stack.folder import REPOSITORY, StackFolder
from local.stack.invocation import invoke
from local.stack.lifecycle import down, up
from local.stack.parameters import read_configured_parameters, read_template_default
from local.stack.sam import SAM_CONFIG, TEMPLATE, build_template
from local.stack.stack import Stack
from local.stack.status import describe_stack, list_log_files, read_last_lines


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def _up(_arguments: argparse.Namespace) -> int:
    stack = up(report_progress=_say)
    # Another folder than the usual one must be named to every later command too.
    prefix = f"SLUICE_LOCAL={stack.folder.root} " if "SLUICE_LOCAL" in os.environ else ""
    command = f"{prefix}{_relative(Path(sys.executable))} -m local.stack"
    print(f"API    {stack.api_url}")
    print(f"token  TOKEN=$({command} token)")
    print(f"       TOKEN=$({command} token --person ada --group editors)")
    print(f'try    curl -H "Authorization: Bearer $TOKEN" {stack.api_url}/v1/')
    print(f"logs   {_relative(stack.folder.logs)}; also: {command} logs Put")
    return 0


def _relative(path: Path) -> Path:
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


def _down(arguments: argparse.Namespace) -> int:
    down(delete=arguments.delete, report_progress=_say)
    return 0


def _status(_arguments: argparse.Namespace) -> int:
    report, whole = describe_stack(StackFolder())
    print(report)
    return 0 if whole else 1


def _build(arguments: argparse.Namespace) -> int:
    target = REPOSITORY / ".aws-sam" / "build"
    parameters = read_configured_parameters(SAM_CONFIG, arguments.config_env)
    for name, given in (("Runtime", arguments.runtime), ("Architecture", arguments.architecture)):
        parameters[name] = given or parameters.get(name) or read_template_default(TEMPLATE, name)
    ca = os.environ.get("SLUICE_CA_BUNDLE")
    compiled = build_template(target, target.parent / "build.log", parameters, ca=Path(ca) if ca else None)
    if not compiled:
        _say(f"no bytecode: that takes {parameters['Runtime']} on this machine; cold starts will be slower")
    print(f"{_relative(target)} is built for {parameters['Runtime']} on {parameters['Architecture']}")
    return 0


def _invoke(arguments: argparse.Namespace) -> int:
    result = invoke(Stack.load(), arguments.name, arguments.event)
    print(f"status  {result.status}")
    print(f"answer  {json.dumps(result.output, indent=2)}")
    print(f"log\n{result.log.rstrip()}")
    return 0 if result.succeeded else 1


def _token(arguments: argparse.Namespace) -> int:
    stack = Stack.load()
    person = arguments.person
    print(stack.person_token(person, tuple(arguments.group)) if person else stack.machine_token())
    return 0


def _address(_arguments: argparse.Namespace) -> int:
    print(Stack.load().api_url)
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    folder = StackFolder()
    if arguments.name:
        print(read_last_lines(folder, arguments.name, arguments.lines))
    else:
        for name, path in list_log_files(folder).items():
            print(f"{name:9} {_relative(path)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description="Control the local stack.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    commands.add_parser("up", help="start what does not run, build and deploy what changed").set_defaults(run=_up)

    command = commands.add_parser("down", help="stop everything, keeping its data")
    command.add_argument("--delete", action="store_true", help="remove the data too")
    command.set_defaults(run=_down)

    commands.add_parser("status", help="what runs, and where; exit 1 unless all of it does").set_defaults(run=_status)

    command = commands.add_parser("build", help="sam build for AWS, plus compiled bytecode, into .aws-sam/build")
    command.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    command.add_argument("--runtime", help="such as python3.13 (default: samconfig.toml's, else the template's)")
    command.add_argument("--architecture", choices=["arm64", "x86_64"], help="likewise")
    command.set_defaults(run=_build)

    command = commands.add_parser("invoke", help="run one function or workflow")
    command.add_argument("name", metavar="FUNCTION", help="such as Put or LoadBatch")
    command.add_argument("event", metavar="EVENT", type=Path, help="such as events/transform/good_and_bad.json")
    command.set_defaults(run=_invoke)

    commands.add_parser("address", help="print the API's address").set_defaults(run=_address)

    command = commands.add_parser("token", help="print an access token: the machine client's, or a person's")
    command.add_argument("--person", metavar="NAME", help="made when missing")
    command.add_argument("--group", metavar="GROUP", action="append", default=[], help="put the person into it")
    command.set_defaults(run=_token)

    command = commands.add_parser("logs", help="where the logs are, or the end of one")
    command.add_argument("name", nargs="?", help="a log's name, or a function's short name")
    command.add_argument("--lines", type=int, default=40)
    command.set_defaults(run=_logs)
    return parser


def main() -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except LocalError as error:
        print(f"sluice: {error}", file=sys.stderr)
        if error.log:
            print(f"--- the end of {error.log}\n{read_tail(error.log)}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"sluice: the emulator refused: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("sluice: interrupted; run `make up` or `make down` again", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
