"""Conditions on writes, which are refused: see docs/decisions.md for why they cannot converge."""

from sluice.api.problems import FieldFault, Problem
from sluice.api.requests import Request

_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")
_WHY = "A write cannot have a condition: it is applied later, in the order of the versions, whatever arrives first."


def refuse_conditions(request: Request) -> None:
    """Raise Problem 400 for a write with a condition: to pass it over would lose what it should protect."""
    if faults := [FieldFault(name, "Expected none") for name in _CONDITIONS if name.lower() in request.headers]:
        raise Problem(400, _WHY, faults=faults)
