"""The template as a mapping, for tests to break."""

import copy

import pytest

from testkit.translate import TEMPLATE, Template, read


@pytest.fixture(scope="session")
def _source() -> Template:
    return read(TEMPLATE)


@pytest.fixture
def template(_source: Template) -> Template:
    """A copy of the template, before its translation."""
    return copy.deepcopy(_source)


@pytest.fixture
def all_of_module(request: pytest.FixtureRequest) -> None:
    """Skip a test that needs the executions of all tests of its module, unless all of them run."""
    options = request.config.option
    if options.keyword or getattr(options, "lf", False) or any("::" in argument for argument in request.config.args):
        pytest.skip("not all tests of the module run")
