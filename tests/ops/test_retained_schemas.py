"""`sluice rebuild --retained` and `--drop-retained`: the schemas that rebuilds retain."""

from typing import Any

import pytest

from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack

OLD, NEW = "sluice_until_20261124T160342", "sluice_until_20261125T041500"
RETAINED: list[dict[str, Any]] = [
    {"name": OLD, "tables": ["codes", "things"], "bytes": 2048},
    {"name": NEW, "tables": ["codes"], "bytes": 100},
]


@pytest.fixture
def retained(stub_stack: StubStack) -> StubStack:
    stub_stack.set_response("Rebuild", list_retained={"retained": RETAINED})
    return stub_stack


def dropped(stub_stack: StubStack) -> list[str]:
    return [
        event["name"] for name, event in stub_stack.invocations if (name, event["step"]) == ("Rebuild", "drop_retained")
    ]


def test_retained_schemas_are_listed(sluice: Sluice, retained: StubStack) -> None:
    output = sluice("rebuild", "--retained")
    assert output.exit_code == 0
    assert output.stdout.splitlines() == [
        "name                          tables  size",
        f"{OLD}  2       2.0 KiB",
        f"{NEW}  1       100 bytes",
    ]
    assert sluice("rebuild", "--retained", "--json").document == {"retained": RETAINED}


def test_there_are_no_retained_schemas(sluice: Sluice, stub_stack: StubStack) -> None:
    assert sluice("rebuild", "--retained").stdout == "there are no retained schemas\n"
    assert sluice("rebuild", "--drop-retained", "--yes", STACK_NAME).usage_error() == "There are no retained schemas."


def test_a_drop_is_confirmed_with_the_name_of_the_stack(sluice: Sluice, retained: StubStack) -> None:
    sentence = sluice("rebuild", "--drop-retained").usage_error()
    assert f"permanently drops 2 schemas with replaced tables: {OLD}, {NEW}" in sentence
    assert "Nothing was done" in sluice("rebuild", "--drop-retained", OLD, "--yes", "other").usage_error()
    assert dropped(retained) == []
    output = sluice("rebuild", "--drop-retained", OLD, "--yes", STACK_NAME)
    assert (output.exit_code, output.stdout) == (0, f"dropped {OLD}\n")
    assert dropped(retained) == [OLD]
    assert sluice("rebuild", "--drop-retained", "--yes", STACK_NAME, "--json").document == {"dropped": [OLD, NEW]}
    assert dropped(retained) == [OLD, OLD, NEW]


def test_an_unknown_schema_is_a_usage_error(sluice: Sluice, retained: StubStack) -> None:
    sentence = sluice("rebuild", "--drop-retained", "sluice", "--yes", STACK_NAME).usage_error()
    assert sentence == f"There is no retained schema 'sluice'. There are {OLD}, {NEW}."
    assert dropped(retained) == []
