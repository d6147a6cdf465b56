"""The edge of one stack: its configuration, read again whenever it changes, and its two sides as ASGI applications."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.edge.api_stage import EmulatorClient, OriginUnreachable, StageHandler, build_gateway_error
from local.edge.cloudfront.distribution_handler import DistributionHandler
from local.edge.config_checks import UnsupportedConfiguration
from local.edge.configuration import (
    ClientFactory,
    DeployedConfiguration,
    EdgeConfiguration,
    build_edge_configuration,
    read_deployed_configuration,
)
from local.edge.http_messages import Request, Response
from local.edge.log import log_event
from local.edge.waf.statements import RateCounter

REFRESH_INTERVAL_SECONDS = 2.0
CONTROL_PATH_PREFIX = "/_edge/"
"""Paths of the edge itself, on the stage's side: `status`, and POST `read` to read the configuration now."""


class Edge:
    """`problem` is why there is no configuration to enforce; then everything is answered with 503."""

    def __init__(self, url: str, clients: ClientFactory, stack: str, region: str) -> None:
        self._where = (clients, stack, region)
        self._stage_side, self._distribution_side = StageHandler(EmulatorClient(url)), DistributionHandler()
        self._rates = RateCounter()
        self._reading = asyncio.Lock()
        self._read_last: DeployedConfiguration | None = None
        self._configuration: EdgeConfiguration | None = None
        self.problem = "nothing is read yet"

    async def refresh_configuration(self) -> None:
        """Read what is deployed, and enforce it if it has changed. What is not understood is enforced by refusing
        all."""
        async with self._reading:
            try:
                found = await asyncio.to_thread(read_deployed_configuration, *self._where)
                if found != self._read_last:
                    self._configuration = build_edge_configuration(found, self._rates)
                    self._read_last, self.problem = found, ""
                    log_event("configuration", read=_named(found))
            except UnsupportedConfiguration as refusal:
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
            log_event("refused", problem=problem)
        self.problem = problem

    async def refresh_forever(self) -> None:
        while True:
            await self.refresh_configuration()
            await asyncio.sleep(REFRESH_INTERVAL_SECONDS)

    async def handle_viewer_request(self, request: Request) -> Response:
        """The distribution's answer."""
        made = self._configuration
        if made is None:
            return self._unavailable()

        def ask(asked: Request) -> Awaitable[Response]:
            return self._stage_side.handle_request(made.stage, asked, time.monotonic())

        return await self._distribution_side.handle_request(made.distribution, made.edge_acl, ask, request)

    async def handle_stage_request(self, request: Request) -> Response:
        """The answer of the API's own address."""
        if request.path.startswith(CONTROL_PATH_PREFIX):
            return await self._own(request)
        if self._configuration is None:
            return self._unavailable()
        try:
            return await self._stage_side.handle_request(self._configuration.stage, request, time.monotonic())
        except OriginUnreachable as failure:
            return build_gateway_error(failure)

    async def _own(self, request: Request) -> Response:
        if (request.method, request.path) == ("POST", f"{CONTROL_PATH_PREFIX}read"):
            await self.refresh_configuration()
        return _json(503 if self.problem else 200, {"problem": self.problem, "lacking": self._lacking()})

    def _lacking(self) -> str:
        """What of the configuration is not enforced on this machine, in words."""
        made = self._configuration
        idle = made is not None and any(
            acl is not None and acl.has_inactive_groups for acl in (made.edge_acl, made.stage.acl)
        )
        return "the rules of managed groups: ModSecurity has no package for this machine" if idle else ""

    def _unavailable(self) -> Response:
        return _json(503, {"problem": f"The local edge enforces nothing: {self.problem}"})


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(content).encode())


def _named(found: DeployedConfiguration) -> dict[str, Any]:
    acls = {name: (acl or {}).get("Name") for name, acl in (("edge", found.edge_acl), ("stage", found.stage_acl))}
    return {"api": found.api_id, "stage": found.stage_name, "acls": acls, "policies": len(found.policies)}
