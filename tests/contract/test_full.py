"""schemathesis against the published contract: `make contract`. A short form is in tests/stack/test_contract.py."""

import time
from pathlib import Path

import pytest

from local.stack import Stack
from tests.contract.running import run_schemathesis

MIN_CASES = 2_000


@pytest.mark.timeout(1800)
def test_schemathesis_finds_nothing(stack: Stack, tmp_path: Path) -> None:
    started = time.monotonic()
    result = run_schemathesis(stack, tmp_path, 100)
    checks = ", ".join(f"{name} {count:,}" for name, count in sorted(result.checks.items()))
    statuses = ", ".join(f"{status}: {count:,}" for status, count in result.statuses.items())
    print(f"contract: {result.cases:,} requests in {time.monotonic() - started:.0f} s")
    print(f"  responses by status: {statuses}\n  checks: {checks}")
    assert result.succeeded, result.output
    assert result.cases >= MIN_CASES
    assert max(result.statuses) < 500
