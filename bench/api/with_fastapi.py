"""The same functions with FastAPI behind Mangum. Each function has only its own routes, and few imports."""

from typing import Annotated, Any

from fastapi import FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from mangum import Mangum

from bench.api.others.observability import Handler, add_observability
from bench.api.others.problems import CONTENT_TYPE, ProblemError, build_routing_error

# Without the documentation and its schema: the other contenders do not serve it, and it would cost start-up time.
app = FastAPI(openapi_url=None)
ANYTHING = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
IfNoneMatch = Annotated[str, Header(alias="If-None-Match")]


@app.exception_handler(ProblemError)
async def handle_problem(_request: Request, problem: ProblemError) -> Response:
    return Response(problem.to_json(), problem.status, problem.headers, CONTENT_TYPE)


@app.exception_handler(RequestValidationError)
async def handle_validation_error(_request: Request, error: RequestValidationError) -> Response:
    errors = [{"field": ".".join(map(str, entry["loc"][1:])), "detail": entry["msg"]} for entry in error.errors()]
    problem = ProblemError(422, "The request is not valid.")
    return Response(problem.to_json(errors), problem.status, problem.headers, CONTENT_TYPE)


def load_handler(function: str) -> Handler:
    """Create the handler of a function."""
    {
        "get": _add_get_routes,
        "post": _add_post_route,
        "put": _add_put_route,
        "delete": _add_delete_route,
        "fallback": _add_fallback_route,
    }[function]()
    mangum = Mangum(app, lifespan="off", text_mime_types=["application/json", CONTENT_TYPE])
    return add_observability(mangum, calls_aws=function != "fallback")


def _add_get_routes() -> None:
    from bench.api.others import reading  # noqa: PLC0415

    def respond(response: reading.Response) -> Response:
        status, body, headers = response
        return Response(body, status, headers, "application/json")

    @app.get("/v1/airports")
    async def list_items(limit: Annotated[int, Query(ge=1, le=500)] = 50, if_none_match: IfNoneMatch = "") -> Response:
        return respond(reading.list_items(limit, if_none_match))

    @app.get("/v1/airports/{item_id}")
    async def get_item(item_id: str, if_none_match: IfNoneMatch = "") -> Response:
        return respond(reading.get_item(item_id, if_none_match))

    @app.get("/v1/airports/{item_id}/writes/{version}")
    async def get_receipt(
        item_id: str, version: Annotated[str, Path(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    ) -> Response:
        return respond(reading.get_receipt(item_id, version))


def _get_event(request: Request) -> dict[str, Any]:
    event: dict[str, Any] = request.scope["aws.event"]
    return event


def _build_accepted(body: str, headers: dict[str, str]) -> Response:
    return Response(body, 202, headers, "application/json")


def _add_post_route() -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Booking  # noqa: PLC0415

    @app.post("/v1/bookings")
    async def post(request: Request, booking: Booking) -> Response:
        owner = writing.get_caller(_get_event(request))
        item_id = writing.create_item_id(_get_event(request), owner, "bookings")
        data = booking.model_dump_json(exclude_none=True)
        return _build_accepted(*writing.accept_write("bookings", item_id, owner, data, "bookings/"))


def _add_put_route() -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Airport  # noqa: PLC0415

    @app.put("/v1/airports/{item_id}")
    async def put(request: Request, item_id: Annotated[str, Path(max_length=128)], airport: Airport) -> Response:
        writing.get_caller(_get_event(request), "editors")
        if airport.icao != item_id:
            raise ProblemError(422, "icao: Expected the same value as the id in the path")
        return _build_accepted(*writing.accept_write("airports", item_id, "", airport.model_dump_json()))


def _add_delete_route() -> None:
    from bench.api.others import writing  # noqa: PLC0415

    @app.delete("/v1/airports/{item_id}")
    async def delete(request: Request, item_id: Annotated[str, Path(max_length=128)]) -> Response:
        writing.get_caller(_get_event(request), "editors")
        return _build_accepted(*writing.accept_write("airports", item_id, "", None))


def _add_fallback_route() -> None:
    @app.api_route("/{path:path}", methods=ANYTHING)
    async def handle_other(request: Request) -> None:
        raise build_routing_error(_get_event(request)["resource"], request.method)
