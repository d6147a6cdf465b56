"""What every API function does around its own work."""

from collections.abc import Callable
from typing import Any

from sluice.api.problems import Problem
from sluice.api.requests import Request
from sluice.api.responses import Response, of_problem
from sluice.observability import Event, described, note, observed

Handler = Callable[[Event, Any], dict[str, Any]]


def api_function(name: str, answer: Callable[[Request], Response]) -> Handler:
    """Make a Lambda handler: an event in, always an HTTP answer out; what is not a success is a problem document."""

    def handle(event: Event, _context: Any) -> dict[str, Any]:
        try:
            response = answer(Request(event))
        except Problem as problem:
            note(problem=problem.reason())
            response = of_problem(problem)
        except Exception as error:  # noqa: BLE001  a client gets a problem document whatever happens
            note(**described(error))
            response = of_problem(Problem(500, "Something went wrong on our side."))
        note(status=response.status)
        return response.as_proxy_answer()

    handle.__module__ = f"sluice.handlers.{name}"
    return observed(handle)
