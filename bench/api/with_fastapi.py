"""The same functions with FastAPI, behind Mangum. Each has its own routes only, and imports what they need."""

from typing import Annotated, Any

from fastapi import FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from mangum import Mangum

from bench.api.others.observability import Handler, add_observability
from bench.api.others.problems import CONTENT_TYPE, ProblemError, build_routing_error

# Documentation and its schema are not served by either of the others, and cost a start-up that nobody compares.
app = FastAPI(openapi_url=None)
ANYTHING = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
Held = Annotated[str, Header(alias="If-None-Match")]


@app.exception_handler(ProblemError)
async def of_fault(_request: Request, fault: ProblemError) -> Response:
    return Response(fault.to_json(), fault.status, fault.headers, CONTENT_TYPE)


@app.exception_handler(RequestValidationError)
async def of_validation(_request: Request, error: RequestValidationError) -> Response:
    errors = [{"field": ".".join(map(str, one["loc"][1:])), "detail": one["msg"]} for one in error.errors()]
    fault = ProblemError(422, "The request is not valid.")
    return Response(fault.to_json(errors), fault.status, fault.headers, CONTENT_TYPE)


def load_handler(function: str) -> Handler:
    """Make a function's handler."""
    {"get": _get, "post": _post, "put": _put, "delete": _delete, "fallback": _fallback}[function]()
    mangum = Mangum(app, lifespan="off", text_mime_types=["application/json", CONTENT_TYPE])
    return add_observability(mangum, calls_aws=function != "fallback")


def _get() -> None:
    from bench.api.others import reading as rows  # noqa: PLC0415

    def answer(found: rows.Answer) -> Response:
        status, body, headers = found
        return Response(body, status, headers, "application/json")

    @app.get("/v1/airports")
    async def page(limit: Annotated[int, Query(ge=1, le=500)] = 50, held: Held = "") -> Response:
        return answer(rows.list_items(limit, held))

    @app.get("/v1/airports/{item_id}")
    async def item(item_id: str, held: Held = "") -> Response:
        return answer(rows.get_item(item_id, held))

    @app.get("/v1/airports/{item_id}/writes/{version}")
    async def receipt(item_id: str, version: Annotated[str, Path(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]) -> Response:
        return answer(rows.get_receipt(item_id, version))


def _event(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = request.scope["aws.event"]
    return found


def _accepted(body: str, headers: dict[str, str]) -> Response:
    return Response(body, 202, headers, "application/json")


def _post() -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Booking  # noqa: PLC0415

    @app.post("/v1/bookings")
    async def post(request: Request, booking: Booking) -> Response:
        owner = writing.get_caller(_event(request))
        item_id = writing.create_item_id(_event(request), owner, "bookings")
        data = booking.model_dump_json(exclude_none=True)
        return _accepted(*writing.accept_write("bookings", item_id, owner, data, "bookings/"))


def _put() -> None:
    from bench.api.others import writing  # noqa: PLC0415
    from bench.api.others.models import Airport  # noqa: PLC0415

    @app.put("/v1/airports/{item_id}")
    async def put(request: Request, item_id: Annotated[str, Path(max_length=128)], airport: Airport) -> Response:
        writing.get_caller(_event(request), "editors")
        if airport.icao != item_id:
            raise ProblemError(422, "icao: Expected the same value as the id in the path")
        return _accepted(*writing.accept_write("airports", item_id, "", airport.model_dump_json()))


def _delete() -> None:
    from bench.api.others import writing  # noqa: PLC0415

    @app.delete("/v1/airports/{item_id}")
    async def delete(request: Request, item_id: Annotated[str, Path(max_length=128)]) -> Response:
        writing.get_caller(_event(request), "editors")
        return _accepted(*writing.accept_write("airports", item_id, "", None))


def _fallback() -> None:
    @app.api_route("/{path:path}", methods=ANYTHING)
    async def nothing(request: Request) -> None:
        raise build_routing_error(_event(request)["resource"], request.method)
