"""`sluice rebuild --kept` and `--drop-kept`: the tables that rebuilds kept."""

from typing import Any

import pytest

from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack

OLD, NEW = "sluice_until_20261124T160342", "sluice_until_20261125T041500"
KEPT: list[dict[str, Any]] = [
    {"name": OLD, "tables": ["codes", "things"], "bytes": 2048},
    {"name": NEW, "tables": ["codes"], "bytes": 100},
]


@pytest.fixture
def kept(miniature: StubStack) -> StubStack:
    miniature.set_response("Rebuild", kept={"kept": KEPT})
    return miniature


def dropped(miniature: StubStack) -> list[str]:
    return [event["name"] for name, event in miniature.invocations if (name, event["step"]) == ("Rebuild", "drop")]


def test_they_are_listed(sluice: Sluice, kept: StubStack) -> None:
    said = sluice("rebuild", "--kept")
    assert said.exit_code == 0
    assert said.stdout.splitlines() == [
        "name                          tables  size",
        f"{OLD}  2       2.0 KiB",
        f"{NEW}  1       100 bytes",
    ]
    assert sluice("rebuild", "--kept", "--json").document == {"kept": KEPT}


def test_there_may_be_none(sluice: Sluice, miniature: StubStack) -> None:
    assert sluice("rebuild", "--kept").stdout == "no tables are kept\n"
    assert sluice("rebuild", "--drop-kept", "--yes", STACK_NAME).usage_error() == "None are kept."


def test_dropping_them_is_confirmed_by_the_stacks_name(sluice: Sluice, kept: StubStack) -> None:
    sentence = sluice("rebuild", "--drop-kept").usage_error()
    assert f"drops 2 schemas of old tables for good: {OLD}, {NEW}" in sentence
    assert "Nothing was done" in sluice("rebuild", "--drop-kept", OLD, "--yes", "other").usage_error()
    assert dropped(kept) == []
    said = sluice("rebuild", "--drop-kept", OLD, "--yes", STACK_NAME)
    assert (said.exit_code, said.stdout) == (0, f"dropped {OLD}\n")
    assert dropped(kept) == [OLD]
    assert sluice("rebuild", "--drop-kept", "--yes", STACK_NAME, "--json").document == {"dropped": [OLD, NEW]}
    assert dropped(kept) == [OLD, OLD, NEW]


def test_a_name_that_is_not_kept_is_a_mistake(sluice: Sluice, kept: StubStack) -> None:
    sentence = sluice("rebuild", "--drop-kept", "sluice", "--yes", STACK_NAME).usage_error()
    assert sentence == f"No tables are kept as 'sluice'; there are {OLD}, {NEW}."
    assert dropped(kept) == []
