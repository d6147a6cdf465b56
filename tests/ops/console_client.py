"""A console on the stub stack, and a client that sends what its page would send."""

import faulthandler
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx

from ops.aws import Stack, choose_target
from ops.console.messages import TOKEN_HEADER
from ops.console.serve import ConsoleServer, listen
from testkit.emulator_harness import wait_until
from tests.ops.stub_stack import STACK_NAME


class ConsoleClient(httpx.Client):
    """Sends the headers of the console's page. A header that is None is not sent."""

    def __init__(self, server: ConsoleServer) -> None:
        self.server = server
        self.origin = f"http://127.0.0.1:{server.port}"
        super().__init__(base_url=self.origin, headers={TOKEN_HEADER: server.token}, timeout=30, trust_env=False)

    def read(self, path: str, **query: Any) -> Any:
        """The document of a GET that succeeds."""
        response = self.get(path, params=query)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        return response.json()

    def post_command(self, name: str, *, dry_run: bool, confirmation: str = "", **arguments: Any) -> httpx.Response:
        document = {"arguments": arguments, "dry_run": dry_run, "confirmation": confirmation}
        return self.post(f"/api/commands/{name}", json=document, headers={"origin": self.origin})

    def run_command(self, name: str, **options: Any) -> tuple[list[str], int, Any]:
        """The lines of a command that is started, its exit code and its report."""
        response = self.post_command(name, **options)
        assert response.status_code == 202, response.text
        *lines, (last, end) = self.stream_events(f"/api/runs/{response.json()['run']}/events")
        assert last == "end"
        return [line["text"] for _, line in lines], end["exit_code"], end["report"]

    def stream_events(self, path: str, **query: Any) -> Iterator[tuple[str, Any]]:
        """Name and document of each event of a stream."""
        with self.stream("GET", path, params=query, headers={"accept": "text/event-stream"}) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))


def serve_stub_console() -> AbstractContextManager[ConsoleClient]:
    """Serve the console of the stub stack on a free port."""
    return serve_console(Stack(choose_target(STACK_NAME, None, None)))


@contextmanager
def serve_console(stack: Stack) -> Iterator[ConsoleClient]:
    """Serve the console of a stack on a free port."""
    server = ConsoleServer(stack, listen(0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        with ConsoleClient(server) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        if thread.is_alive():
            faulthandler.dump_traceback()
            raise AssertionError("the server does not end; standard error has the place of each thread")
