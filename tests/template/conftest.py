"""The template as a mapping, for tests to break."""

import copy

import pytest

from tests.template.translate import TEMPLATE, Template, read


@pytest.fixture(scope="session")
def _source() -> Template:
    return read(TEMPLATE)


@pytest.fixture
def template(_source: Template) -> Template:
    """A copy of the template, before its translation."""
    return copy.deepcopy(_source)
