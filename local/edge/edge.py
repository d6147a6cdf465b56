"""The edge of one stack: its configuration, read again whenever it changes, and its two sides as ASGI applications."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.edge.configuration import Configuration, configuration
from local.edge.deployed import Clients, Deployed, read
from local.edge.distribution_side import DistributionSide
from local.edge.forwarding import Emulator, Unreachable
from local.edge.journal import told
from local.edge.messages import Request, Response
from local.edge.rates import Rates
from local.edge.refusal import NotUnderstood
from local.edge.stage_side import StageSide, unreachable

LOOK_SECONDS = 2.0
OWN = "/_edge/"
"""Paths of the edge itself, on the stage's side: `status`, and POST `read` to read the configuration now."""


class Edge:
    """`problem` is why there is no configuration to enforce; then everything is answered with 503."""

    def __init__(self, url: str, clients: Clients, stack: str, region: str) -> None:
        self._where = (clients, stack, region)
        self._stage_side, self._distribution_side = StageSide(Emulator(url)), DistributionSide()
        self._rates = Rates()
        self._reading = asyncio.Lock()
        self._read_last: Deployed | None = None
        self._configuration: Configuration | None = None
        self.problem = "nothing is read yet"

    async def look(self) -> None:
        """Read what is deployed, and enforce it if it has changed. What is not understood is enforced by refusing
        all."""
        async with self._reading:
            try:
                found = await asyncio.to_thread(read, *self._where)
                if found != self._read_last:
                    self._configuration = configuration(found, self._rates)
                    self._read_last, self.problem = found, ""
                    told("configuration", read=_named(found))
            except NotUnderstood as refusal:
                self._refuse(str(refusal))
            except (AttributeError, LookupError, TypeError, ValueError, re.error) as error:
                # A part that is not there, or a value that none of the parts knows.
                self._refuse(f"not understood: {error!r}")
            except (ClientError, BotoCoreError) as error:
                # Nobody to be asked: what was read last still holds, as it would on AWS.
                if self._configuration is None:
                    self._refuse(f"nothing can be read: {error}")

    def _refuse(self, problem: str) -> None:
        self._configuration, self._read_last = None, None
        if problem != self.problem:
            told("refused", problem=problem)
        self.problem = problem

    async def keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def from_viewer(self, request: Request) -> Response:
        """The distribution's answer."""
        made = self._configuration
        if made is None:
            return self._unavailable()

        def ask(asked: Request) -> Awaitable[Response]:
            return self._stage_side.answer(made.stage, asked, time.monotonic())

        return await self._distribution_side.answer(made.distribution, made.edge_acl, ask, request)

    async def direct(self, request: Request) -> Response:
        """The answer of the API's own address."""
        if request.path.startswith(OWN):
            return await self._own(request)
        if self._configuration is None:
            return self._unavailable()
        try:
            return await self._stage_side.answer(self._configuration.stage, request, time.monotonic())
        except Unreachable as failure:
            return unreachable(failure)

    async def _own(self, request: Request) -> Response:
        if (request.method, request.path) == ("POST", f"{OWN}read"):
            await self.look()
        return _json(503 if self.problem else 200, {"problem": self.problem, "lacking": self._lacking()})

    def _lacking(self) -> str:
        """What of the configuration is not enforced on this machine, in words."""
        made = self._configuration
        idle = made is not None and any(acl is not None and acl.idle for acl in (made.edge_acl, made.stage.acl))
        return "the rules of managed groups: ModSecurity has no package for this machine" if idle else ""

    def _unavailable(self) -> Response:
        return _json(503, {"problem": f"The local edge enforces nothing: {self.problem}"})


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(content).encode())


def _named(found: Deployed) -> dict[str, Any]:
    acls = {name: (acl or {}).get("Name") for name, acl in (("edge", found.edge_acl), ("stage", found.stage_acl))}
    return {"api": found.api, "stage": found.stage, "acls": acls, "policies": len(found.policies)}
