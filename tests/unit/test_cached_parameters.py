"""Every query parameter of a list must be in the key of API Gateway's cache, or the deployment fails."""

import pytest

from sluice.errors import MigrationRefused
from sluice.model.columns import LIST_PARAMETERS
from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import create_resource
from sluice.schema.preflight import check_cached_parameters
from tests.unit.classes import create_item_class

PLAIN = create_resource(create_item_class(("size", int), ("weight", int)), "plain")
BY_SIZE = create_resource(create_item_class(("size", int), ("weight", int), name="Sized"), "sized", indexes=["size"])
ENDS = {"size", "size.gt", "size.gte", "size.lt", "size.lte"}


def test_the_list_parameters_follow_from_the_indexes() -> None:
    assert list_parameter_names([]) == list_parameter_names([PLAIN]) == set(LIST_PARAMETERS)
    assert list_parameter_names([PLAIN, BY_SIZE]) == LIST_PARAMETERS | ENDS


def cache_key(*names: str) -> list[str]:
    return [f"method.request.querystring.{name}" for name in names]


def test_a_cache_key_with_all_parameters_and_more_is_accepted() -> None:
    check_cached_parameters(cache_key(*LIST_PARAMETERS, *ENDS, "version"), [PLAIN, BY_SIZE])
    check_cached_parameters(cache_key(*LIST_PARAMETERS), [PLAIN])


@pytest.mark.parametrize("missing", sorted({*ENDS, "after", "sort"}))
def test_each_missing_parameter_is_named_with_the_command_that_adds_it(missing: str) -> None:
    with pytest.raises(MigrationRefused) as refused:
        check_cached_parameters(cache_key(*({*LIST_PARAMETERS, *ENDS} - {missing})), [PLAIN, BY_SIZE])
    [sentence] = refused.value.refusals
    assert (
        f": method.request.querystring.{missing}. Write api.json again with `python -m tools.api_definition`"
        in sentence
    )


def test_all_are_named_at_once() -> None:
    with pytest.raises(MigrationRefused) as refused:
        check_cached_parameters(cache_key(*LIST_PARAMETERS), [BY_SIZE])
    assert f"another query: {', '.join(cache_key(*sorted(ENDS)))}. Write" in str(refused.value)
