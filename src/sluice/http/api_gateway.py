"""Adapt the API functions to API Gateway: proxy event in, proxy response out."""

from collections.abc import Callable
from typing import Any

from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.http.response import Response, problem_response
from sluice.observability import Event, add_log_fields, describe_error, instrument_handler

LambdaHandler = Callable[[Event, Any], dict[str, Any]]


def create_api_handler(name: str, respond: Callable[[Request], Response]) -> LambdaHandler:
    """Make a Lambda handler: an event in, always an HTTP answer out; what is not a success is a problem document."""

    def handle(event: Event, _context: Any) -> dict[str, Any]:
        try:
            response = respond(Request(event))
        except Problem as problem:
            add_log_fields(problem=problem.loggable_reason())
            response = problem_response(problem)
        except Exception as error:  # noqa: BLE001  a client gets a problem document whatever happens
            add_log_fields(**describe_error(error))
            response = problem_response(Problem(500, "Something went wrong on our side."))
        add_log_fields(status=response.status)
        return response.to_proxy_response()

    handle.__module__ = f"sluice.handlers.{name}"
    return instrument_handler(handle)
