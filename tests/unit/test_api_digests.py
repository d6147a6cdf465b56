"""The API's definition must be written from the deployed classes, or the deployment fails."""

from collections.abc import Mapping

import pytest

from sluice.errors import MigrationRefused
from sluice.model.api_digest import digest_collections
from sluice.model.columns import LIST_PARAMETERS
from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import Resource, create_resource
from sluice.schema.preflight import check_api_definition
from tests.unit.classes import create_item_class

FIELDS = (("size", int), ("weight", int))
PLAIN = create_resource(create_item_class(*FIELDS), "plain")
BY_SIZE = create_resource(create_item_class(*FIELDS, name="Sized"), "sized", indexes=["size"])
ENDS = {"size", "size.gt", "size.gte", "size.lt", "size.lte"}
# Each has other routes than PLAIN: who shares its answers, what its list can be asked, what a body must have.
CHANGED = {
    "private": create_resource(create_item_class(*FIELDS), "plain", private=True),
    "index": create_resource(create_item_class(*FIELDS), "plain", indexes=["size"]),
    "required field": create_resource(create_item_class(*FIELDS, ("height", int)), "plain"),
}


def test_the_list_parameters_follow_from_the_indexes() -> None:
    assert list_parameter_names([]) == list_parameter_names([PLAIN]) == set(LIST_PARAMETERS)
    assert list_parameter_names([PLAIN, BY_SIZE]) == LIST_PARAMETERS | ENDS


def refuse(digests: Mapping[str, str], *resources: Resource) -> str:
    with pytest.raises(MigrationRefused) as refused:
        check_api_definition(digests, resources)
    [sentence] = refused.value.refusals
    return sentence


def test_the_definition_of_the_same_classes_is_accepted() -> None:
    check_api_definition(digest_collections([PLAIN, BY_SIZE]), [BY_SIZE, PLAIN])


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_a_definition_of_another_class_is_refused_with_the_command_that_writes_it(changed: Resource) -> None:
    sentence = refuse(digest_collections([PLAIN, BY_SIZE]), changed, BY_SIZE)
    assert "it differs in plain. Write it again with `python -m tools.api_definition`" in sentence


def test_a_collection_too_few_or_too_many_is_refused() -> None:
    assert "differs in sized." in refuse(digest_collections([PLAIN]), PLAIN, BY_SIZE)
    assert "differs in sized." in refuse(digest_collections([PLAIN, BY_SIZE]), PLAIN)
    assert "differs in plain, sized." in refuse({}, PLAIN, BY_SIZE)
