"""The same functions with Powertools' event handler and its validation by pydantic models.

Each has its own routes only, and imports what they need. The one without anything to validate has no validation.
"""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from bench.api.others.observability import Handler, add_observability
from bench.api.others.problems import CONTENT_TYPE, ProblemError, build_routing_error


def load_handler(function: str) -> Handler:
    """Make a function's handler."""
    app = APIGatewayRestResolver(enable_validation=function != "fallback")

    app.exception_handler(ProblemError)(_of)
    {"get": _get, "post": _post, "put": _put, "delete": _delete, "fallback": _fallback}[function](app)
    return add_observability(app.resolve, calls_aws=function != "fallback")


def _of(fault: ProblemError) -> Response[str]:
    return Response(fault.status, CONTENT_TYPE, fault.to_json(), fault.headers)


def _validated(app: APIGatewayRestResolver) -> None:
    from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError  # noqa: PLC0415

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def of_validation(error: RequestValidationError) -> Response[str]:
        errors = [{"field": ".".join(map(str, one["loc"][1:])), "detail": one["msg"]} for one in error.errors()]
        fault = ProblemError(422, "The request is not valid.")
        return Response(fault.status, CONTENT_TYPE, fault.to_json(errors), fault.headers)


def _get(app: APIGatewayRestResolver) -> None:
    from typing import Annotated  # noqa: PLC0415

    from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query  # noqa: PLC0415

    from bench.api.others import reading as rows  # noqa: PLC0415

    _validated(app)
    held = Annotated[str, Header(alias="If-None-Match")]

    def answer(found: rows.Answer) -> Response[Any]:
        status, body, headers = found
        return Response(status, "application/json", body.decode(), headers)

    @app.get("/v1/airports")
    def page(limit: Annotated[int, Query(ge=1, le=500)] = 50, held: held = "") -> Response[Any]:
        return answer(rows.list_items(limit, held))

    @app.get("/v1/airports/<item_id>")
    def item(item_id: str, held: held = "") -> Response[Any]:
        return answer(rows.get_item(item_id, held))

    @app.get("/v1/airports/<item_id>/writes/<version>")
    def receipt(item_id: str, version: Annotated[str, Path(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]) -> Response[Any]:
        return answer(rows.get_receipt(item_id, version))


def _event(app: APIGatewayRestResolver) -> dict[str, Any]:
    return app.current_event.raw_event


def _accepted(body: str, headers: dict[str, str]) -> Response[Any]:
    return Response(202, "application/json", body, headers)


def _post(app: APIGatewayRestResolver) -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Booking  # noqa: PLC0415

    _validated(app)

    @app.post("/v1/bookings")
    def post(booking: Booking) -> Response[Any]:
        owner = writing.get_caller(_event(app))
        item_id = writing.create_item_id(_event(app), owner, "bookings")
        data = booking.model_dump_json(exclude_none=True)
        return _accepted(*writing.accept_write("bookings", item_id, owner, data, "bookings/"))


def _put(app: APIGatewayRestResolver) -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Airport  # noqa: PLC0415

    _validated(app)

    @app.put("/v1/airports/<item_id>")
    def put(item_id: str, airport: Airport) -> Response[Any]:
        writing.get_caller(_event(app), "editors")
        if airport.icao != item_id:
            raise ProblemError(422, "icao: Expected the same value as the id in the path")
        return _accepted(*writing.accept_write("airports", item_id, "", airport.model_dump_json()))


def _delete(app: APIGatewayRestResolver) -> None:
    from bench.api.others import writing  # noqa: PLC0415

    _validated(app)

    @app.delete("/v1/airports/<item_id>")
    def delete(item_id: str) -> Response[Any]:
        writing.get_caller(_event(app), "editors")
        return _accepted(*writing.accept_write("airports", item_id, "", None))


def _fallback(app: APIGatewayRestResolver) -> None:
    @app.not_found
    def nothing(_error: Exception) -> Response[Any]:
        return _of(build_routing_error(_event(app)["resource"], _event(app)["httpMethod"]))
