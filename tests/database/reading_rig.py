"""GETs answered from real tables, as the function answers them."""

import json
from collections.abc import Mapping
from typing import Any

from sluice.db.connection import Database
from sluice.http.api_gateway import create_api_handler
from sluice.query import read_router as answers
from tests.database.rig import Rig
from tests.database.things import OWNER
from tests.unit.requesting import Answer, Context, event


class Reader:
    """Asks as a caller; what the loader of its rig has loaded is there to be read."""

    def __init__(self, rig: Rig, replica: Database) -> None:
        self.rig = rig
        self.replica = replica
        self._handle = create_api_handler("get", answers.respond_to_read)

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
