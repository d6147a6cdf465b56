"""The canary of a deployed stack is an ordinary client of its edge."""

from typing import Any

import httpx
import pytest
from pymysql.connections import Connection

from local.stack import Stack
from tests.stack.recovery_harness import invoke_function

pytestmark = pytest.mark.stack("first")

ITEM = "/v1/sluice_canary/canary"


def test_the_canary_writes_and_reads_through_the_edge_and_overwrites_its_item(
    stack: Stack, machine: httpx.Client, replica: "Connection[Any]"
) -> None:
    runs = [invoke_function(stack, "Canary", {}) for _ in range(2)]
    for run in runs:
        assert (run["writes"], run["writes_failed"], run["reads_failed"]) == (1, 0, 0), run
        assert (run["waits"], run["waits_failed"]) == (1, 0), run
        assert 0 < run["readable_seconds"] <= 33
    # The first read of the second run shows the first write, so it waited for its own.
    assert runs[1]["reads"] > 1
    with replica.cursor() as cursor:
        cursor.execute("SELECT id FROM sluice_canary")
        assert list(cursor.fetchall()) == [("canary",)]
    # Other callers can neither see nor write it, and the contract does not have it.
    assert machine.get(ITEM).status_code == 404
    assert machine.put(ITEM, json={"name": "canary", "run": "x"}).status_code == 403
    assert "sluice_canary" not in machine.get("/v1/openapi.json").text
