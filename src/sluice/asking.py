"""What lists can be asked, by the indexes of their resources."""

from collections.abc import Iterable

from sluice.indexes import PARAMETERS
from sluice.resource import Resource

OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def names(resource: Resource) -> set[str]:
    """The parameters that name a field: which value it has, or one end of a range."""
    fields = {field for index in resource.indexes for field in index.fields}
    return {*fields, *(f"{field}.{operator}" for field in fields for operator in OPERATORS)}


def askable(resources: Iterable[Resource]) -> set[str]:
    """Every parameter that a list of one of these takes."""
    return {*PARAMETERS, *(name for resource in resources for name in names(resource))}
