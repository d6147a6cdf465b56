"""schemathesis against the published contract: `make contract`. A short form is in tests/stack/test_contract.py."""

import time
from pathlib import Path

import pytest

from local.stack import Stack
from tests.contract.running import run

LEAST = 2_000


@pytest.mark.timeout(1800)
def test_schemathesis_finds_nothing(stack: Stack, tmp_path: Path) -> None:
    started = time.monotonic()
    found = run(stack, tmp_path, 100)
    looked = ", ".join(f"{name} {count:,}" for name, count in sorted(found.checks.items()))
    answers = ", ".join(f"{status}: {count:,}" for status, count in found.statuses.items())
    print(f"contract: {found.cases:,} requests in {time.monotonic() - started:.0f} s")
    print(f"  answers by status: {answers}\n  looked at by: {looked}")
    assert found.succeeded, found.printed
    assert found.cases >= LEAST
    assert max(found.statuses) < 500
