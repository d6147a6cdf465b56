"""How three processes share the tests (`make test`): what shares parts that are slow to start stays together, the
longest first.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

STACK = "tests/stack/"
SECOND_STACK = f"{STACK}test_rebuild.py"
FIRST = (STACK, SECOND_STACK, "tests/database/test_convergence.py")


def group(test: str) -> str:
    """What a test is to stay with, by its node id: a deployed stack is one for its tests, others go by file.

    There are two stacks, for a process each: from the file SECOND_STACK on tests have the other one. The third process
    begins with what needs none.
    """
    file = test.partition("::")[0]
    if file.startswith(STACK):
        return SECOND_STACK if file >= SECOND_STACK else STACK
    return file


class Grouped(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives a group to whoever is free, in the order in which the tests were found."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Grouped:
    return Grouped(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(group(item.nodeid), len(FIRST)))
