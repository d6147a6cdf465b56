"""What lists can be asked must be in the key of API Gateway's cache, or the deploy fails."""

import pytest

from sluice.asking import askable
from sluice.indexes import PARAMETERS
from sluice.migrating.cached_lists import check
from sluice.migrating.failures import MigrationRefused
from sluice.resource import describe
from tests.unit.classes import item_class

PLAIN = describe(item_class(("size", int), ("weight", int)), "plain")
BY_SIZE = describe(item_class(("size", int), ("weight", int), name="Sized"), "sized", indexes=["size"])
ENDS = {"size", "size.gt", "size.gte", "size.lt", "size.lte"}


def test_what_can_be_asked_follows_from_the_indexes() -> None:
    assert askable([]) == askable([PLAIN]) == set(PARAMETERS)
    assert askable([PLAIN, BY_SIZE]) == PARAMETERS | ENDS


def told(*names: str) -> list[str]:
    return [f"method.request.querystring.{name}" for name in names]


def test_a_cache_that_knows_all_and_more_is_taken() -> None:
    check(told(*PARAMETERS, *ENDS, "version"), [PLAIN, BY_SIZE])
    check(told(*PARAMETERS), [PLAIN])


@pytest.mark.parametrize("lacking", sorted({*ENDS, "after", "sort"}))
def test_each_parameter_that_it_lacks_is_named_with_the_place_to_add_it(lacking: str) -> None:
    with pytest.raises(MigrationRefused) as refused:
        check(told(*({*PARAMETERS, *ENDS} - {lacking})), [PLAIN, BY_SIZE])
    [sentence] = refused.value.refusals
    place = "RequestParameters of GetFunction and to ListParameters of Migration in template.yaml"
    assert f"add method.request.querystring.{lacking} to {place}" in sentence


def test_all_are_named_at_once() -> None:
    with pytest.raises(MigrationRefused) as refused:
        check(told(*PARAMETERS), [BY_SIZE])
    assert f"add {', '.join(told(*sorted(ENDS)))} to" in str(refused.value)
