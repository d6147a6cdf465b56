"""Writes and reads of airports that go on while replicas fail, and what must hold whatever fails."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from local.stack import Stack
from tests.drill.traffic import Traffic
from tests.stack.replica_readers import AS_OF, Phase, Readers, create_readers
from tests.stack.samples import booking
from tests.stack.waiting import eventually

OWNER = "ada"
WRITE_PAUSE_SECONDS = 0.25


class ReplicaSite:
    """Six writers and eight readers of one stack. All airports that they write begin with `letter`."""

    def __init__(self, stack: Stack, create_client: Callable[[str], httpx.Client], letter: str) -> None:
        self.stack = stack
        tokens = {"machine": stack.machine_token(), "owner": stack.person_token(OWNER)}
        self.traffic = Traffic(create_client, tokens["machine"], letter)
        self.machine, self.owner = create_client(tokens["machine"]), create_client(tokens["owner"])
        self.booking = self._write_booking()
        self.readers: Readers = create_readers(create_client, tokens, self.booking, lambda: list(self.traffic.rows))

    def _write_booking(self) -> str:
        """Write a private booking, and return its path when it is readable."""
        written = self.owner.post("/v1/bookings", json=booking()).json()
        path = f"/v1/bookings/{written['id']}"
        query, headers = {"version": written["version"]}, {"Prefer": "wait=15"}
        eventually(lambda: self.owner.get(path, params=query, headers=headers).status_code == 200)
        return path

    @contextmanager
    def run(self) -> Iterator[None]:
        """Write and read until the context ends, beginning when there are some airports to read."""
        self.traffic.write(60)
        eventually(self.is_converged)
        # Strict readers send the moment back from their first read on, also on a new stack.
        assert AS_OF in self.machine.get("/v1/airports?limit=1").headers
        with self.traffic.write_continuously(WRITE_PAUSE_SECONDS), self.readers.read_continuously():
            yield

    def observe(self, seconds: float) -> Phase:
        """What the readers get during so many seconds from now."""
        began = time.monotonic()
        time.sleep(seconds)
        return self.readers.get_phase(began)

    def is_converged(self) -> bool:
        """Whether every server has exactly the rows of the model."""
        rows = self.traffic.rows
        return all(self.read_rows(server) == rows for server in self.stack.servers.all)

    def read_rows(self, server: Any) -> Any:
        credentials = self.stack.servers.admin_credentials
        with server.connect(*credentials, database="sluice", autocommit=True) as connection:
            return self.traffic.read_rows(connection)

    def count_stale_answers(self) -> int:
        """How many answers CloudFront has served stale so far, because the API failed."""
        lines = self.stack.edge.log.read_text().splitlines()
        return sum(json.loads(line).get("event") == "stale" for line in lines if '"stale"' in line)

    def list_wrong_items(self) -> list[str]:
        """The airports that the API shows otherwise than the model has them."""
        wrong = []
        for code, (version, is_deleted, name, _elevation) in self.traffic.rows.items():
            response = self.machine.get(f"/v1/airports/{code}", params={"version": version})
            if is_deleted:
                is_right = response.status_code == 404
            else:
                is_right = response.status_code == 200 and response.json()["data"]["name"] == name
            if not is_right:
                wrong.append(f"{code}: {response.status_code} {response.text[:200]}")
        return wrong
