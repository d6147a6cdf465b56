"""Bring a stack to its state before a run: its items, and what earlier traffic would have left in the read cache."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from bench.loading.database import install_trust_layer
from local.process import LocalError
from local.stack import Stack
from sluice.aws.secrets import Credentials
from sluice.cache.reader import CacheReader
from sluice.cache.valkey_client import ValkeyClient
from sluice.db.connection import Database
from sluice.http.api_gateway import parse_request
from sluice.model.resource import load_resources
from sluice.query.read_router import ReadRouter
from sluice.settings import CacheSettings, ReadSettings
from testkit.mix.player import COLLECTION

SCHEMA = "sluice"
LINES_PER_POST = 10_000
TIMEOUT_SECONDS = 120


def load_items(stack: Stack, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Post the items, and return when the replica has them all. Raises LocalError."""
    lines = [json.dumps(record) for record in records.values()]
    headers = {"Authorization": f"Bearer {stack.machine_token()}", "Content-Type": "application/x-ndjson"}
    for first in range(0, len(lines), LINES_PER_POST):
        content = "\n".join(lines[first : first + LINES_PER_POST])
        response = httpx.post(
            f"{stack.api_url}/v1/{COLLECTION}", content=content, headers=headers, timeout=60, trust_env=False
        )
        if response.status_code != 202:
            raise LocalError(f"The items were not accepted: {response.status_code} {response.text[:500]}")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with stack.servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{COLLECTION}")
            row: Any = cursor.fetchone()
            if row[0] >= len(records):
                return
            if time.monotonic() > deadline:
                raise LocalError(f"After {TIMEOUT_SECONDS} s the replica has {row[0]:,} of {len(records):,} items.")
            time.sleep(0.2)


class CacheFiller:
    """Fills the read cache with the code of the read function, and with the administrator's account.

    The measurement does not count that account.
    """

    def __init__(self, stack: Stack) -> None:
        install_trust_layer(stack.folder.root, stack.servers.ca)
        client = ValkeyClient(CacheSettings("localhost", stack.cache.port, "none", 1), 10.0)
        client._user = Credentials(*stack.cache.credentials)
        self._reader = CacheReader(client, 1)
        server = stack.servers.replica
        settings = ReadSettings(
            f"{server.host}:{server.port}", SCHEMA, "none", buffer_seconds=60, wait_seconds=0, stale_seconds=60
        )
        database = Database(settings.place_databases()[0], statement_timeout_seconds=60)
        database.access.credentials = Credentials(*stack.servers.admin_credentials)
        self._router = ReadRouter(load_resources(), [database], settings, self._reader)

    def fill(self, seconds_by_item: Mapping[str, float]) -> None:
        """Store these items, each for so many seconds from now."""
        started = time.monotonic()
        for item, seconds in seconds_by_item.items():
            remaining = seconds - (time.monotonic() - started)
            if remaining < 1:
                continue
            self._reader._max_age_seconds = int(remaining)
            self._reader._epoch_expires_at = 0.0  # so that the replica is asked, and its answer stored
            event = {
                "httpMethod": "GET",
                "resource": f"/v1/{COLLECTION}/{{id}}",
                "pathParameters": {"id": item},
            }
            assert self._router.respond(parse_request(event)).status == 200
