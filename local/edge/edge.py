"""The edge of one stack: its configuration, refreshed after each change, and its two request handlers."""

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
from local.edge.metrics import SEND_INTERVAL_SECONDS, EdgeMetrics
from local.edge.waf.statements import RateCounter

REFRESH_INTERVAL_SECONDS = 2.0
CONTROL_PATH_PREFIX = "/_edge/"
"""Paths of the edge itself at the stage's address: GET `status`, POST `read` to refresh the configuration now, POST
`forget` to empty the cache of the distribution, and POST `send` to send its metrics now."""


class Edge:
    """`problem` says why there is no configuration to enforce; every response is 503 then. It is empty otherwise."""

    def __init__(self, emulator_url: str, clients: ClientFactory, stack_name: str, region: str) -> None:
        self._source = (clients, stack_name, region)
        self._stage_handler, self._distribution_handler = (
            StageHandler(EmulatorClient(emulator_url)),
            DistributionHandler(),
        )
        self._rates = RateCounter()
        self._metrics = EdgeMetrics(clients, region)
        self._refresh_lock = asyncio.Lock()
        self._last_deployed: DeployedConfiguration | None = None
        self._configuration: EdgeConfiguration | None = None
        self.problem = "the configuration is not read yet"

    async def refresh_configuration(self) -> None:
        """Read the deployed configuration and enforce it if it changed.

        If a part of it is not supported, the edge rejects every request.
        """
        async with self._refresh_lock:
            try:
                deployed = await asyncio.to_thread(read_deployed_configuration, *self._source)
                if deployed != self._last_deployed:
                    configuration = build_edge_configuration(deployed, self._rates)
                    self._count_decisions()
                    self._configuration = configuration
                    self._last_deployed, self.problem = deployed, ""
                    log_event("configuration", read=_summarise(deployed))
            except UnsupportedConfiguration as error:
                self._reject_all(str(error))
            except (AttributeError, LookupError, TypeError, ValueError, re.error) as error:
                # A required part is missing, or a value is unknown to the parser.
                self._reject_all(f"unsupported configuration: {error!r}")
            except (ClientError, BotoCoreError) as error:
                # The services do not respond: the last configuration stays in force, as on AWS.
                if self._configuration is None:
                    self._reject_all(f"the configuration cannot be read: {error}")

    def _reject_all(self, problem: str) -> None:
        self._configuration, self._last_deployed = None, None
        if problem != self.problem:
            log_event("refused", problem=problem)
        self.problem = problem

    async def refresh_forever(self) -> None:
        while True:
            await self.refresh_configuration()
            await asyncio.sleep(REFRESH_INTERVAL_SECONDS)

    async def send_metrics_forever(self) -> None:
        while True:
            await asyncio.sleep(SEND_INTERVAL_SECONDS)
            await self.send_metrics()

    async def send_metrics(self) -> None:
        """Send what was counted since the last call."""
        self._count_decisions()
        await asyncio.to_thread(self._metrics.send)

    def _count_decisions(self) -> None:
        if self._configuration:
            for acl in (self._configuration.edge_acl, self._configuration.stage.acl):
                self._metrics.count_decisions(acl)

    async def handle_viewer_request(self, request: Request) -> Response:
        """Respond at the address of the distribution."""
        configuration = self._configuration
        if configuration is None:
            return self._build_unavailable_response()

        def fetch_from_origin(origin_request: Request) -> Awaitable[Response]:
            return self._stage_handler.handle_request(configuration.stage, origin_request, time.monotonic())

        response = await self._distribution_handler.handle_request(
            configuration.distribution, configuration.edge_acl, fetch_from_origin, request
        )
        self._metrics.count_response(configuration.distribution_id, request.method, len(request.body), response)
        return response

    async def handle_stage_request(self, request: Request) -> Response:
        """Respond at the API's own address."""
        if request.path.startswith(CONTROL_PATH_PREFIX):
            return await self._handle_control_request(request)
        if self._configuration is None:
            return self._build_unavailable_response()
        try:
            return await self._stage_handler.handle_request(self._configuration.stage, request, time.monotonic())
        except OriginUnreachable as failure:
            return build_gateway_error(failure)

    async def _handle_control_request(self, request: Request) -> Response:
        if (request.method, request.path) == ("POST", f"{CONTROL_PATH_PREFIX}read"):
            await self.refresh_configuration()
        elif (request.method, request.path) == ("POST", f"{CONTROL_PATH_PREFIX}forget"):
            self._distribution_handler.forget_responses()
        elif (request.method, request.path) == ("POST", f"{CONTROL_PATH_PREFIX}send"):
            await self.send_metrics()
        status = {"problem": self.problem, "unenforced": self._describe_unenforced_rules()}
        return _build_json_response(503 if self.problem else 200, status)

    def _describe_unenforced_rules(self) -> str:
        """The part of the configuration that this machine cannot enforce, or an empty string."""
        if self._configuration is None:
            return ""
        acls = (self._configuration.edge_acl, self._configuration.stage.acl)
        inactive = any(acl is not None and acl.has_inactive_groups for acl in acls)
        return "the rules of managed groups: there is no ModSecurity package for this machine" if inactive else ""

    def _build_unavailable_response(self) -> Response:
        return _build_json_response(503, {"problem": f"The local edge enforces nothing: {self.problem}"})


def _build_json_response(status: int, content: dict[str, Any]) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(content).encode())


def _summarise(deployed: DeployedConfiguration) -> dict[str, Any]:
    acls = (("edge", deployed.edge_acl), ("stage", deployed.stage_acl))
    return {
        "api": deployed.api_id,
        "stage": deployed.stage_name,
        "acls": {name: (acl or {}).get("Name") for name, acl in acls},
        "policies": len(deployed.policies),
    }
