"""In what order the tests run when two processes share them (`make test`): what shares parts that are slow to start
stays together, the longest first.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FIRST = ("stack", "database/test_convergence")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(_group(item)) if _group(item) in FIRST else len(FIRST))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    """The deployed stack is one for all of its tests; other tests go by their file."""
    place = item.path.relative_to(TESTS)
    return place.parts[0] if place.parts[0] == "stack" else str(place.with_suffix(""))
