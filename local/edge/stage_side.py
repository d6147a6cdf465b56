"""The API's own address: what AWS evaluates before API Gateway, then the emulator."""

from dataclasses import dataclass

from local.edge.forwarding import Emulator, Unreachable
from local.edge.journal import told
from local.edge.messages import Request, Response
from local.edge.web_acl import WebAcl

# API Gateway's own time is shorter, and it says so itself.
SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """A stage as it is deployed, `refused` being its answer to what its web ACL blocks."""

    api: str
    name: str
    acl: WebAcl | None
    refused: Response


class StageSide:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def answer(self, stage: Stage, request: Request, now: float) -> Response:
        """The answer of the API's address. `now` is a clock in seconds. Raises Unreachable."""
        if request.path != f"/{stage.name}" and not request.path.startswith(f"/{stage.name}/"):
            return Response(403, [("content-type", "application/json")], b'{"message":"Forbidden"}')
        blocked = stage.acl.judge(request, now) if stage.acl else None
        if blocked:
            told("blocked", side="stage", rule=blocked.rule, matched=blocked.matched, method=request.method)
            return blocked.answer or stage.refused
        return await self._emulator.send(request, f"/_aws/execute-api/{stage.api}{request.path}", SECONDS)


def unreachable(failure: Unreachable) -> Response:
    """What is said where nothing answers."""
    status, text = (504, "Gateway Timeout") if failure.slow else (502, "Bad Gateway")
    return Response(status, [("content-type", "text/plain")], text.encode())
