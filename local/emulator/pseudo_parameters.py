"""Gap: a condition compared the names of pseudo parameters, such as AWS::Region, and not what they stand for."""

from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import changesets, engine, handlers, stacks

from local.emulator.expectation import UnexpectedError, replace

_before = SimpleNamespace()

# Modules that have the function by its name.
USERS = (changesets, handlers, stacks)


def _evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> dict[str, bool]:
    known = {
        "AWS::Region": get_region(),
        "AWS::AccountId": get_account_id(),
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }
    pseudo = {name: {"Value": value} for name, value in known.items()}
    evaluated: dict[str, bool] = _before.evaluate(template, {**pseudo, **params})
    return evaluated


def patch() -> None:
    _before.evaluate = replace(engine, "_evaluate_conditions", "e7f9e29b6c01", _evaluate_conditions)
    for module in USERS:
        if getattr(module, "_evaluate_conditions", None) is not _before.evaluate:
            raise UnexpectedError(f"{module.__name__} no longer evaluates conditions: look at pseudo_parameters.")
        module._evaluate_conditions = _evaluate_conditions
