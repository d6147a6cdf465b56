"""Serve the console on loopback until Ctrl-C."""

import contextlib
import os
import socket
import tempfile
import threading
import webbrowser
from pathlib import Path

import uvicorn

from ops.aws import Stack
from ops.console.application import build_application
from ops.console.calls import CallMeter
from ops.console.guard import Guard, create_token
from ops.console.session import ConsoleSession
from ops.errors import UsageError
from ops.output import print_error

ADDRESS = "127.0.0.1"
# At the end, answers that are not complete after this time are cut off.
SHUTDOWN_SECONDS = 2


def serve_console(stack: Stack, port: int, *, with_browser: bool) -> None:
    """Serve the console of a stack until Ctrl-C. Raises UsageError for a port that is taken, or a missing stack."""
    server = ConsoleServer(stack, listen(port))
    print_error(f"The console of {stack.name} is at {server.address}")
    print_error("Whoever has this address can do what you can. Ctrl-C ends the console.")
    with contextlib.ExitStack() as cleanup:
        if with_browser:
            open_browser(server.address, cleanup)
        # The readers run in threads that are daemons because the server's is one: the command does not wait for AWS.
        thread = threading.Thread(target=server.run, daemon=True)
        # uvicorn raises the signal again when it has ended.
        with contextlib.suppress(KeyboardInterrupt), server.capture_signals():
            thread.start()
            thread.join()


class ConsoleServer(uvicorn.Server):
    """Serves the console of a stack on a socket."""

    def __init__(self, stack: Stack, listener: socket.socket) -> None:
        """Raises UsageError when there is no such stack, and the exceptions of botocore."""
        meter = CallMeter()
        stack.observe_calls(meter.count)
        # Before the page opens: without credentials or a stack, it could show nothing.
        stack.output("BatchBucketName")
        self.session, self.token = ConsoleSession(stack, meter), create_token()
        self._listener = listener
        guard = Guard(build_application(self.session), self.token, self.port)
        super().__init__(uvicorn.Config(
            guard, log_level="critical", access_log=False, lifespan="off", server_header=False, ws="none",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ))  # fmt: skip

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        """The address of the page. No browser sends the fragment, so the token is in no log and no Referer."""
        return f"http://{ADDRESS}:{self.port}/#token={self.token}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets or [self._listener])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: with a page open, the server would wait for it."""
        await self.session.close()
        await super().shutdown(sockets)


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback only. Raises UsageError when the port is taken."""
    listener = socket.socket()
    # Without it, a port is taken for a minute after the last console.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        # bind() allows two sockets as long as none listens.
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Port {port} cannot be used: {error.strerror}.", "Give --port N, or --port 0 for any free port."
        ) from None
    except OverflowError:
        listener.close()
        raise UsageError(f"{port} is not a port.", "Give --port N from 0 to 65535.") from None
    return listener


def open_browser(address: str, cleanup: contextlib.ExitStack) -> None:
    """Open an address in the operator's browser.

    Other users of the machine see the words of a command, and with these the token. So the browser gets the name of a
    file that only the operator can read, which leads to the address.
    """
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="sluice-console-")))
    page = folder / "console.html"
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={address}">')
    try:
        is_open = webbrowser.open(page.as_uri())
    except webbrowser.Error:
        is_open = False
    if not is_open:
        print_error("No browser could be opened: open the address yourself.")
