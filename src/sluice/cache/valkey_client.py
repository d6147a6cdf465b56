"""A connection to Valkey or Redis: TLS, a user from a secret, and short timeouts.

hiredis encodes commands and parses replies. A complete client library would add over 100 ms of import, and it would
retry and wait, which must not happen here.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hiredis

from sluice.aws.secrets import Credentials, read_credentials
from sluice.aws.tls import create_cache_tls_context
from sluice.aws.tracing import create_subsegment
from sluice.errors import AwsError, CacheErrorReply, CacheUnavailable
from sluice.observability import add_log_fields, add_metric
from sluice.settings import CacheSettings

Command = Sequence[str | bytes]

CONNECT_TIMEOUT_SECONDS = 0.5
# After an error, no command is sent for this time.
BACKOFF_SECONDS = 5.0


class ValkeyClient:
    """One warm connection, opened at the first command and reopened after it was lost."""

    def __init__(self, settings: CacheSettings, timeout_seconds: float) -> None:
        """`timeout_seconds` limits one exchange of commands and replies, without the time to connect."""
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._user: Credentials | None = None
        self._socket: ssl.SSLSocket | None = None
        self._tls_context: ssl.SSLContext | None = None
        self._reader = hiredis.Reader()
        self._backoff_until = 0.0

    def send_commands(self, *commands: Command) -> list[Any]:
        """Send commands in one exchange and return their replies.

        Raises CacheUnavailable, also for BACKOFF_SECONDS after an error, then without sending anything.
        """
        if time.monotonic() < self._backoff_until:
            raise CacheUnavailable("backing off after an error")
        packed = b"".join(map(_pack_command, commands))
        try:
            with create_subsegment(f"cache@{self._settings.cache_host}", "remote"):
                return self._exchange_with_reconnect(packed, len(commands))
        except (OSError, CacheErrorReply, hiredis.HiredisError, AwsError) as error:
            self.start_backoff()
            raise CacheUnavailable(str(error) if isinstance(error, CacheErrorReply) else type(error).__name__) from None

    def start_backoff(self) -> None:
        """Send no commands for BACKOFF_SECONDS."""
        self._backoff_until = time.monotonic() + BACKOFF_SECONDS

    def close(self) -> None:
        """Close the connection. The next command opens another one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange_with_reconnect(self, packed: bytes, reply_count: int) -> list[Any]:
        if self._socket is not None:
            try:
                return self._exchange(packed, reply_count, self._timeout_seconds)
            except ConnectionError:
                pass  # the idle connection was lost; every command here may run twice
        self._connect()
        return self._exchange(packed, reply_count, self._timeout_seconds)

    def _exchange(self, packed: bytes, reply_count: int, timeout_seconds: float) -> list[Any]:
        try:
            return list(self._read_replies(packed, reply_count, time.monotonic() + timeout_seconds))
        except BaseException:
            # A late reply would be taken for the next command's reply; and the user may not be authenticated.
            self.close()
            raise

    def _read_replies(self, packed: bytes, reply_count: int, deadline: float) -> Iterator[Any]:
        connection = self._socket
        if connection is None:
            raise ConnectionResetError
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        connection.sendall(packed)
        while reply_count:
            reply = self._reader.gets()
            if isinstance(reply, hiredis.ReplyError):
                raise CacheErrorReply(str(reply).partition(" ")[0])  # the rest may quote a key
            if reply is not False:
                reply_count -= 1
                yield reply
                continue
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            chunk = connection.recv(65536)
            if not chunk:
                raise ConnectionResetError
            self._reader.feed(chunk)

    def _connect(self) -> None:
        host = self._settings.cache_host
        plain = socket.create_connection((host, self._settings.cache_port), CONNECT_TIMEOUT_SECONDS)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls_context is None:
                self._tls_context = create_cache_tls_context()
            self._socket = self._tls_context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self._reader = hiredis.Reader()
        user = self._user or read_credentials(self._settings.cache_secret_arn)
        # Keep the user only after the server accepted it: the password may have been rotated.
        self._user = None
        self._exchange(_pack_command(("AUTH", user.username, user.password)), 1, CONNECT_TIMEOUT_SECONDS)
        self._user = user


def report_unavailable_cache(error: CacheUnavailable) -> None:
    """Report in log and metric that the cache is unavailable. The function continues without it."""
    add_log_fields(cache="unavailable", cache_fault=str(error))
    add_metric("CacheUnavailable")


def _pack_command(command: Command) -> bytes:
    # hiredis's type stubs allow only commands of one word.
    pack: Callable[[tuple[str | bytes, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]
    return pack(tuple(command))
