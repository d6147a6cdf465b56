"""The routes of the console's API, and the files of its page. ops/console/messages.py describes them."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ops.aws_errors import AWS_ERRORS
from ops.console.batch_lines import UnreadableBatchError
from ops.console.item_history import ItemSelection
from ops.console.messages import CommandRequest, ItemHistory, Problem, RunEnd, StartedRun, encode_message
from ops.console.picture import describe_problem
from ops.console.runs import RefusedError, UnknownCommandError, iterate_messages
from ops.console.session import ConsoleSession
from ops.errors import CommandError, UsageError

PAGE = Path(__file__).with_name("page")
# A comment in a stream.
_PING = b": ping\n\n"


class _Json(JSONResponse):
    """A message as JSON."""

    def render(self, content: Any) -> bytes:
        return encode_message(content)


def build_application(session: ConsoleSession) -> Starlette:
    """The application, without the guard. It never raises what AWS or the stack cause."""
    routes = [
        Route("/api/stack", _answer(lambda _: session.describe_stack())),
        Route("/api/events", _stream_snapshots(session)),
        Route("/api/timeline", _answer(lambda request: session.read_timeline(_get_number(request, "minutes", 60)))),
        Route("/api/batches", _answer(lambda request: session.list_batches(
            _get_number(request, "minutes", 60), request.query_params.get("state", ""),
        ))),
        Route("/api/batches/{key:path}", _answer(lambda request: session.read_batch(request.path_params["key"]))),
        Route("/api/rejected-writes", _answer(lambda request: session.list_rejected_writes(
            _get_number(request, "limit", 100),
        ))),
        Route("/api/quarantine", _answer(lambda _: session.list_quarantine())),
        Route("/api/executions", _answer(lambda request: session.list_executions(
            request.query_params.get("workflow", ""),
        ))),
        Route("/api/executions/{workflow}/{name}", _answer(lambda request: session.read_execution(
            request.path_params["workflow"], request.path_params["name"],
        ))),
        Route("/api/items/{collection}/{id}", _read_item(session)),
        Route("/api/commands/{name}", _start_command(session), methods=["POST"]),
        Route("/api/runs/{run}/events", _stream_run(session)),
        Route("/", lambda _: FileResponse(PAGE / "index.html")),
        Mount("/", StaticFiles(directory=PAGE, check_dir=False)),
    ]  # fmt: skip
    handlers: dict[Any, Any] = dict.fromkeys(
        (CommandError, *AWS_ERRORS, UnreadableBatchError, RefusedError, UnknownCommandError), _report
    )
    return Starlette(routes=routes, exception_handlers=handlers)


Endpoint = Callable[[Request], Any]


def _answer(read: Callable[[Request], Any]) -> Endpoint:
    """An endpoint that reads a message, in a thread: boto3 blocks."""

    def endpoint(request: Request) -> Response:
        return _Json(read(request))

    return endpoint


def _report(_request: Request, error: Exception) -> Response:
    return _Json(*_describe_error(error))


def _describe_error(error: Any) -> tuple[Problem, int]:
    """The problem and the status of an answer for an error."""
    if isinstance(error, RefusedError):
        return Problem(error.message, error.hint), 409
    if isinstance(error, UnknownCommandError):
        return Problem(f"There is nothing with the name {error}."), 404
    if isinstance(error, UnreadableBatchError):
        return Problem(str(error)), 404
    return describe_problem(error), 400 if isinstance(error, UsageError) else 502


def _get_number(request: Request, name: str, default: int) -> int:
    """A whole number of the query, from 1 on. Raises UsageError."""
    text = request.query_params.get(name, str(default))
    # Ten digits are more than any limit, and no work to convert.
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) < 1:
        raise UsageError(f"{name} must be a whole number from 1 on.")
    return int(text)


def _stream_snapshots(session: ConsoleSession) -> Endpoint:
    async def stream() -> AsyncIterator[bytes]:
        async for snapshot in session.poller.subscribe():
            yield _encode_event("snapshot", snapshot) if snapshot else _PING

    async def endpoint(_request: Request) -> Response:
        return _Stream(stream())

    return endpoint


def _read_item(session: ConsoleSession) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        item = ItemSelection(
            request.path_params["collection"], request.path_params["id"], request.query_params.get("owner")
        )
        hours = _get_number(request, "hours", 24)
        if "text/event-stream" not in request.headers.get("accept", ""):
            return _Json(await run_in_threadpool(session.read_history, item, hours))
        return _Stream(iterate_in_threadpool(_iterate_history(session, item, hours)))

    return endpoint


def _iterate_history(session: ConsoleSession, item: ItemSelection, hours: int) -> Iterator[bytes]:
    try:
        for message in session.stream_history(item, hours):
            yield _encode_event("history" if isinstance(message, ItemHistory) else "progress", message)
    except (CommandError, *AWS_ERRORS) as error:
        yield _encode_event("problem", describe_problem(error))


def _start_command(session: ConsoleSession) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        command_request = _parse_command_request(await request.body())
        run = await run_in_threadpool(session.runs.start, request.path_params["name"], command_request)
        return _Json(StartedRun(run), 202)

    return endpoint


def _parse_command_request(body: bytes) -> CommandRequest:
    """Raises UsageError."""
    try:
        document = json.loads(body)
        request = CommandRequest(document["arguments"], document["dry_run"], document.get("confirmation", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError("The body must be a JSON object with arguments and dry_run.") from None
    kinds = (dict, bool, str)
    values = (request.arguments, request.dry_run, request.confirmation)
    if not all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True)):
        raise UsageError("arguments must be an object, dry_run a truth value, and confirmation a text.")
    return request


def _stream_run(session: ConsoleSession) -> Endpoint:
    def encode(message: Any) -> bytes:
        if message is None:
            return _PING
        return _encode_event("end" if isinstance(message, RunEnd) else "line", message)

    async def endpoint(request: Request) -> Response:
        run = session.runs.find(request.path_params["run"])
        return _Stream(iterate_in_threadpool(map(encode, iterate_messages(run, lambda: session.is_closing))))

    return endpoint


class _Stream(StreamingResponse):
    """Server-sent events."""

    def __init__(self, content: Any) -> None:
        super().__init__(content, media_type="text/event-stream")


def _encode_event(name: str, message: Any) -> bytes:
    # The message has no line feed, which would end the event.
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode_message(message))
