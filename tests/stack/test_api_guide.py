"""What docs/how-to/use-the-api.md tells client developers is run as it stands there."""

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


def block(name: str) -> str:
    """The code that stands in the guide below the mark of that name."""
    [found] = re.findall(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


def printed(name: str) -> str:
    """What the guide says that it prints."""
    [found] = re.findall(rf"<!-- run: {name} -->\n```\w+\n.*?```\n\n```\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture
def environment(stack: Stack) -> dict[str, str]:
    return {**os.environ, "API": stack.api_url, "TOKEN": stack.person_token("guided"), "NO_PROXY": "*"}


def shell(command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shape(answer: Any) -> Any:
    """An answer without what differs from run to run."""
    return re.sub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-HJKMNP-TV-Z]{26}", "…", json.dumps(answer))


def test_the_python_example_writes_waits_and_reads(environment: dict[str, str]) -> None:
    code = block("python")
    assert len([line for line in code.splitlines() if line.strip()]) == 10
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1184.00\n", "")


def test_the_first_write_is_answered_as_it_is_told_and_its_receipt_too(environment: dict[str, str]) -> None:
    head, _, body = shell(block("write"), environment).replace("\r", "").partition("\n\n")
    told_head, _, told_body = printed("write").partition("\n\n")
    assert shape(json.loads(body)) == shape(json.loads(told_body))
    given = {name.lower(): value for name, value in (line.split(": ", 1) for line in head.splitlines()[1:])}
    for line in told_head.splitlines()[1:]:
        name, value = line.split(": ", 1)
        assert shape(given[name.lower()]) == shape(value)
    asking = {**environment, "RECEIPT": json.loads(body)["receipt"]}
    eventually(lambda: json.loads(shell(block("receipt"), asking))["status"] == "applied")
    assert shape(json.loads(shell(block("receipt"), asking))) == shape(json.loads(printed("receipt")))
    again = shell(block("write"), environment)
    assert json.loads(body)["id"] in again


def test_a_problem_is_told_as_it_is(environment: dict[str, str]) -> None:
    assert json.loads(shell(block("problem"), environment)) == json.loads(printed("problem"))


def test_many_lines_are_answered_as_it_is_told(environment: dict[str, str]) -> None:
    answers = [json.loads(shell(block("many"), environment)) for _ in range(2)]
    assert shape(answers[0]) == shape(json.loads(printed("many")))
    assert answers[0]["lines"][0]["id"] == answers[1]["lines"][0]["id"]


def test_what_it_says_of_lists_and_conditions_is_so(person: Person) -> None:
    guide, reader = GUIDE.read_text(), person("guided")
    [asked] = re.findall(r"`GET (/v1/airports\?[^`]+)`", guide)
    assert reader.get(asked).status_code == 200
    assert reader.get("/v1/airports", params={"sort": "name"}).status_code == 400
    assert reader.get("/v1/airports", params={"colour": "red"}).status_code == 400
    assert reader.get("/v1/airports", params={"limit": 501}).status_code == 400
    page = reader.get("/v1/bookings")
    assert reader.get("/v1/bookings", headers={"If-None-Match": page.headers["ETag"]}).status_code == 304
    for condition in ("If-Match", "If-None-Match", "If-Unmodified-Since"):
        refused = reader.delete("/v1/bookings/01a207ae-9953-7b39-9077-9a5cb1f4828e", headers={condition: "*"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, condition)
