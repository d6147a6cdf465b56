"""The examples in docs/how-to/use-the-api.md work as they are printed there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.stack.conftest import Person
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

GUIDE = Path(__file__).parents[2] / "docs/how-to/use-the-api.md"


def read_code(name: str) -> str:
    """The code block of the guide below the comment `run: name`."""
    [text] = re.findall(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(text)


def read_output(name: str) -> str:
    """The output that the guide prints for this code block."""
    [text] = re.findall(rf"<!-- run: {name} -->\n```\w+\n.*?```\n\n```\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(text)


@pytest.fixture
def environment(stack: Stack) -> dict[str, str]:
    return {**os.environ, "API": stack.api_url, "TOKEN": stack.person_token("guided"), "NO_PROXY": "*"}


def run_shell(command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def remove_ids(response: Any) -> Any:
    """A response without the ids and versions, which differ between runs."""
    return re.sub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-HJKMNP-TV-Z]{26}", "…", json.dumps(response))


def test_the_python_example_writes_waits_and_reads(environment: dict[str, str]) -> None:
    code = read_code("python")
    assert len([line for line in code.splitlines() if line.strip()]) == 10
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1184.00\n", "")


def test_the_first_write_and_its_receipt(environment: dict[str, str]) -> None:
    head, _, body = run_shell(read_code("write"), environment).replace("\r", "").partition("\n\n")
    expected_head, _, expected_body = read_output("write").partition("\n\n")
    assert remove_ids(json.loads(body)) == remove_ids(json.loads(expected_body))
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head.splitlines()[1:])}
    for line in expected_head.splitlines()[1:]:
        name, value = line.split(": ", 1)
        assert remove_ids(headers[name.lower()]) == remove_ids(value)
    variables = {**environment, "RECEIPT": json.loads(body)["receipt"]}
    eventually(lambda: json.loads(run_shell(read_code("receipt"), variables))["status"] == "applied")
    assert remove_ids(json.loads(run_shell(read_code("receipt"), variables))) == remove_ids(
        json.loads(read_output("receipt"))
    )
    repeated = run_shell(read_code("write"), environment)
    assert json.loads(body)["id"] in repeated


def test_the_problem_document(environment: dict[str, str]) -> None:
    assert json.loads(run_shell(read_code("problem"), environment)) == json.loads(read_output("problem"))


def test_many_lines(environment: dict[str, str]) -> None:
    answers = [json.loads(run_shell(read_code("many"), environment)) for _ in range(2)]
    assert remove_ids(answers[0]) == remove_ids(json.loads(read_output("many")))
    assert answers[0]["lines"][0]["id"] == answers[1]["lines"][0]["id"]


def test_the_statements_on_lists_and_conditional_requests(person: Person) -> None:
    guide, reader = GUIDE.read_text(), person("guided")
    [list_url] = re.findall(r"`GET (/v1/airports\?[^`]+)`", guide)
    assert reader.get(list_url).status_code == 200
    assert reader.get("/v1/airports", params={"sort": "name"}).status_code == 400
    assert reader.get("/v1/airports", params={"colour": "red"}).status_code == 400
    assert reader.get("/v1/airports", params={"limit": 501}).status_code == 400
    page = reader.get("/v1/bookings")
    assert reader.get("/v1/bookings", headers={"If-None-Match": page.headers["ETag"]}).status_code == 304
    for condition in ("If-Match", "If-None-Match", "If-Unmodified-Since"):
        refused = reader.delete("/v1/bookings/01a207ae-9953-7b39-9077-9a5cb1f4828e", headers={condition: "*"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, condition)
