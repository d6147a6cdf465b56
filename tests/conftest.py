"""How the workers share the tests, and the last line of a run that failed.

Tests with a common slow part share a worker, the longest first.
"""

import gc
import re
import shlex
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

STACKS = ("first", "second")
"""The deployed stacks. `@pytest.mark.stack(NAME)` decides which of them a test gets (see tests/stack/conftest.py).

There are two, so that two workers can run stack tests at once; the marks balance their run times.
"""
_STACK_PARAMETER = re.compile(r"stack=(\w+)")
# The other workers start with the longest file that needs no stack.
_LONGEST_GROUPS = (*STACKS, "tests/database/test_convergence.py")


def pytest_configure(config: pytest.Config) -> None:
    # The modules and items of some thousand tests stay until the end. By default, the collector looks at them again and
    # again: the collection of the tests took 6.9 s instead of 4.7 s.
    gc.set_threshold(50_000, 20, 20)
    config.addinivalue_line("markers", "slow: `make drill` runs the test, `make test` does not")
    config.addinivalue_line(
        "markers",
        "stack(name, last=False): the deployed stack that the test gets, one of "
        f"{', '.join(STACKS)}; a test that leaves the stack changed is marked last=True and runs after the others",
    )


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def find_group(node_id: str) -> str:
    """The tests of one group run on one worker: those of one deployed stack, or else those of one file.

    The name of the stack is a parameter of the test, because the scheduler knows only the ids of the tests.
    """
    match = _STACK_PARAMETER.search(node_id)
    return match[1] if match else node_id.partition("::")[0]


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no type hints
    """Gives the next group to the next free worker, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the longest groups to the front, and within a stack the tests marked `last` to the end."""
    order = {group: position for position, group in enumerate(_LONGEST_GROUPS)}

    def sort_key(item: pytest.Item) -> tuple[int, bool]:
        marker = item.get_closest_marker("stack")
        if marker and marker.args not in {(name,) for name in STACKS}:
            raise pytest.UsageError(f"{item.nodeid}: the mark `stack` needs one of {', '.join(STACKS)}")
        return order.get(find_group(item.nodeid), len(order)), bool(marker and marker.kwargs.get("last"))

    items.sort(key=sort_key)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Name the tests that failed in the last line: logs of CI often show no more than their end."""
    gc.unfreeze()  # so that DuckDB does not call what ends with the process a leak
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker
        return
    reports = [*reporter.stats.get("failed", ()), *reporter.stats.get("error", ())]
    if names := sorted({report.nodeid for report in reports}):
        reporter.write_line(f"failed; to run them again: python -m pytest -n0 {shlex.join(names)}")
