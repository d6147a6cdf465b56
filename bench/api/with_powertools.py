"""The same functions with Powertools' event handler and its validation by pydantic models.

Each function has only its own routes, and imports only what they need. The fallback validates nothing.
"""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from bench.api.others.observability import Handler, add_observability
from bench.api.others.problems import CONTENT_TYPE, ProblemError, build_routing_error


def load_handler(function: str) -> Handler:
    """Create the handler of a function."""
    app = APIGatewayRestResolver(enable_validation=function != "fallback")

    app.exception_handler(ProblemError)(_build_problem)
    {
        "get": _add_get_routes,
        "post": _add_post_route,
        "put": _add_put_route,
        "delete": _add_delete_route,
        "fallback": _add_fallback_route,
    }[function](app)
    return add_observability(app.resolve, calls_aws=function != "fallback")


def _build_problem(problem: ProblemError) -> Response[str]:
    return Response(problem.status, CONTENT_TYPE, problem.to_json(), problem.headers)


def _add_validation_handler(app: APIGatewayRestResolver) -> None:
    from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError  # noqa: PLC0415

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def handle_validation_error(error: RequestValidationError) -> Response[str]:
        errors = [{"field": ".".join(map(str, entry["loc"][1:])), "detail": entry["msg"]} for entry in error.errors()]
        problem = ProblemError(422, "The request is not valid.")
        return Response(problem.status, CONTENT_TYPE, problem.to_json(errors), problem.headers)


def _add_get_routes(app: APIGatewayRestResolver) -> None:
    from typing import Annotated  # noqa: PLC0415

    from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query  # noqa: PLC0415

    from bench.api.others import reading  # noqa: PLC0415

    _add_validation_handler(app)
    if_none_match_header = Annotated[str, Header(alias="If-None-Match")]

    def respond(response: reading.Response) -> Response[Any]:
        status, body, headers = response
        return Response(status, "application/json", body.decode(), headers)

    @app.get("/v1/airports")
    def list_items(
        limit: Annotated[int, Query(ge=1, le=500)] = 50, if_none_match: if_none_match_header = ""
    ) -> Response[Any]:
        return respond(reading.list_items(limit, if_none_match))

    @app.get("/v1/airports/<item_id>")
    def get_item(item_id: str, if_none_match: if_none_match_header = "") -> Response[Any]:
        return respond(reading.get_item(item_id, if_none_match))

    @app.get("/v1/airports/<item_id>/writes/<version>")
    def get_receipt(
        item_id: str, version: Annotated[str, Path(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    ) -> Response[Any]:
        return respond(reading.get_receipt(item_id, version))


def _get_event(app: APIGatewayRestResolver) -> dict[str, Any]:
    return app.current_event.raw_event


def _build_accepted(body: str, headers: dict[str, str]) -> Response[Any]:
    return Response(202, "application/json", body, headers)


def _add_post_route(app: APIGatewayRestResolver) -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Booking  # noqa: PLC0415

    _add_validation_handler(app)

    @app.post("/v1/bookings")
    def post(booking: Booking) -> Response[Any]:
        owner = writing.get_caller(_get_event(app))
        item_id = writing.create_item_id(_get_event(app), owner, "bookings")
        data = booking.model_dump_json(exclude_none=True)
        return _build_accepted(*writing.accept_write("bookings", item_id, owner, data, "bookings/"))


def _add_put_route(app: APIGatewayRestResolver) -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Airport  # noqa: PLC0415

    _add_validation_handler(app)

    @app.put("/v1/airports/<item_id>")
    def put(item_id: str, airport: Airport) -> Response[Any]:
        writing.get_caller(_get_event(app), "editors")
        if airport.icao != item_id:
            raise ProblemError(422, "icao: Expected the same value as the id in the path")
        return _build_accepted(*writing.accept_write("airports", item_id, "", airport.model_dump_json()))


def _add_delete_route(app: APIGatewayRestResolver) -> None:
    from bench.api.others import writing  # noqa: PLC0415

    _add_validation_handler(app)

    @app.delete("/v1/airports/<item_id>")
    def delete(item_id: str) -> Response[Any]:
        writing.get_caller(_get_event(app), "editors")
        return _build_accepted(*writing.accept_write("airports", item_id, "", None))


def _add_fallback_route(app: APIGatewayRestResolver) -> None:
    @app.not_found
    def handle_other(_error: Exception) -> Response[Any]:
        return _build_problem(build_routing_error(_get_event(app)["resource"], _get_event(app)["httpMethod"]))
