"""Examples in the guides are right."""

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.cli import build_parser
from ops.errors import UsageError
from ops.template import ResolvedTemplate, read_template
from tests.docs.words import ROOT

PAGES = sorted(path for folder in ("how-to", "tutorials") for path in (ROOT / "docs" / folder).glob("*.md"))


def list_blocks(page: Path) -> list[str]:
    """The blocks of shell commands and of their output."""
    return re.findall(r"^```(?:sh)?\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def list_commands() -> Iterator[str]:
    """The command lines of sluice in the guides that are not answered with an error."""
    for path in PAGES:
        for block in list_blocks(path):
            for line, answer in itertools.pairwise([*block.splitlines(), ""]):
                command = re.match(r"(?:\$ |\./)?sluice (?!: )(.*)", line)
                if command and not answer.startswith("sluice: "):
                    yield re.split(r" [|<#] ?", command[1])[0].strip()


@pytest.mark.parametrize("command", sorted(set(list_commands())))
def test_a_command_in_a_guide_can_be_parsed(command: str) -> None:
    try:
        build_parser().parse_args(shlex.split(command))
    except UsageError as error:
        pytest.fail(str(error))


def test_commands_are_collected() -> None:
    assert len(set(list_commands())) > 20


def test_the_class_of_the_tutorial_is_a_resource() -> None:
    tutorial = (ROOT / "docs/tutorials/first-resource.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", tutorial, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def list_local_invocations() -> list[tuple[str, str]]:
    """The functions and events of the examples of `sam local invoke`."""
    text = "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    return re.findall(r"sam local invoke (\w+) --event (\S+\.json)", text)


INVOKE = "import importlib, json, sys; m, f = sys.argv[1].rsplit('.', 1); event = json.load(open(sys.argv[2]))\n"
INVOKE += "print(json.dumps(getattr(importlib.import_module(m), f)(event, None)))"


@pytest.mark.parametrize(("function", "event"), list_local_invocations())
def test_an_example_of_a_local_invocation_needs_no_other_service(function: str, event: str) -> None:
    """`sam local invoke` gives a function the template's environment, with logical ids in place of other resources."""
    resolved = ResolvedTemplate(read_template(), {}, "sluice", "us-east-1")
    properties = resolved.list_resources("AWS::Serverless::Function")[function]
    variables = {
        **resolved.resolve(resolved.template["Globals"])["Function"]["Environment"]["Variables"],
        **properties.get("Environment", {}).get("Variables", {}),
    }
    environment = {
        name: value if isinstance(value, str) else next(iter(value.values())) for name, value in variables.items()
    }
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", INVOKE, properties["Handler"], str(ROOT / event)],
        cwd=ROOT / "src",
        # No service of AWS answers there.
        env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": "http://127.0.0.1:9", **credentials, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer.get("statusCode", 200) < 500, answer


def test_the_docs_have_an_example_of_a_local_invocation() -> None:
    assert list_local_invocations()


def test_make_targets_in_the_guides_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    named = {name for path in pages for name in re.findall(r"`make ([a-z]+)", path.read_text())}
    blocks = [block for path in pages for block in list_blocks(path)]
    named |= {name for block in blocks for name in re.findall(r"^make ([a-z]+)", block, re.MULTILINE)}
    assert len(named) > 5
    assert named - targets == set()
