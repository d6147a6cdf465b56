"""Serve the console on loopback until Ctrl-C."""

import contextlib
import os
import socket
import tempfile
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
# An answer that is not there by then is given up at the end.
SHUTDOWN_SECONDS = 2


def serve_console(stack: Stack, port: int, *, with_browser: bool) -> None:
    """Serve the console of a stack until Ctrl-C. Raises UsageError for a port that is taken, or a missing stack."""
    meter = CallMeter()
    stack.observe_calls(meter.count)
    # Before the browser opens: without credentials or a stack, the page could show nothing.
    stack.output("BatchBucketName")
    listener = listen(port)
    number = listener.getsockname()[1]
    session, token = ConsoleSession(stack, meter), create_token()
    server = _Server(uvicorn.Config(
        Guard(build_application(session), token, number), log_level="critical", access_log=False, lifespan="off",
        server_header=False, timeout_graceful_shutdown=SHUTDOWN_SECONDS, ws="none",
    ), session)  # fmt: skip
    # The fragment stays in the browser: it is in no request, no log and no Referer.
    address = f"http://{ADDRESS}:{number}/#token={token}"
    print_error(f"The console of {stack.name} is at {address}")
    print_error("Who has this address can do what you can. Ctrl-C ends the console.")
    with contextlib.ExitStack() as cleanup:
        if with_browser:
            open_browser(address, cleanup)
        # uvicorn raises the signal again when it has ended.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


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


class _Server(uvicorn.Server):
    """Ends the streams when it ends: a page that is open would let it wait."""

    def __init__(self, config: uvicorn.Config, session: ConsoleSession) -> None:
        super().__init__(config)
        self._session = session

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._session.close()
        await super().shutdown(sockets)
