"""GETs of real tables, answered by the code of the reading function."""

import json
from collections.abc import Mapping
from typing import Any

from sluice.db.connection import Database
from sluice.http.api_gateway import create_api_handler
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.query.read_router import ReadRouter
from sluice.settings import ReadSettings
from tests.database.rig import Rig
from tests.database.things import OWNER
from tests.unit.requesting import Answer, Context, event


def create_read_settings(replica: Database) -> ReadSettings:
    """The settings of a reading function for this replica."""
    settings = replica._settings
    return ReadSettings(
        f"{settings.database_host}:{settings.database_port}",
        settings.database_name,
        settings.database_secret_arn,
        buffer_seconds=60,
        wait_seconds=3,
        stale_seconds=600,
    )


class ReadRig:
    """Sends requests as a caller, and reads what the rig's loader has loaded."""

    def __init__(self, rig: Rig, replica: Database) -> None:
        self.rig = rig
        self.replica = replica
        self.settings = create_read_settings(replica)
        self._handle = create_api_handler("get", self._respond)

    def _respond(self, request: Request) -> Response:
        return ReadRouter(self.rig.resources, self.replica, self.settings).respond(request)

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        owner: str = OWNER,
    ) -> Answer:
        sent = event("GET", path, headers=headers, query=query, claims={"sub": owner})
        answer: dict[str, Any] = self._handle(sent, Context())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]) if answer["body"] else None)
