"""A connection to Valkey or Redis: TLS, a user from a secret, and no patience.

Commands and replies are hiredis's. A whole client library costs over 100 ms of import and does what is not wanted
here: it tries again, and waits.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hiredis

from sluice.aws.secrets import Credentials, read_credentials
from sluice.aws.tls import create_cache_tls_context
from sluice.errors import AwsError, CacheErrorReply, CacheUnavailable
from sluice.settings import CacheSettings

Command = Sequence[str | bytes]


CONNECT_TIMEOUT_SECONDS = 0.5


# How long the cache is left alone once it did not answer.
BACKOFF_SECONDS = 5.0


class ValkeyClient:
    """One warm connection, made when first needed and again when it has died."""

    def __init__(self, settings: CacheSettings, timeout_seconds: float) -> None:
        """`seconds` is the most that one exchange may take, apart from connecting."""
        self._settings = settings
        self._seconds = timeout_seconds
        self._user: Credentials | None = None
        self._socket: ssl.SSLSocket | None = None
        self._reader = hiredis.Reader()
        self._resting_until = 0.0

    def send_commands(self, *commands: Command) -> list[Any]:
        """Send commands at once; return their replies. Raises CacheUnavailable, and for a while after that at once."""
        if time.monotonic() < self._resting_until:
            raise CacheUnavailable("left alone for a while")
        packed = b"".join(map(_pack_command, commands))
        try:
            return self._asked(packed, len(commands))
        except (OSError, CacheErrorReply, hiredis.HiredisError, AwsError) as error:
            self.start_backoff()
            raise CacheUnavailable(str(error) if isinstance(error, CacheErrorReply) else type(error).__name__) from None

    def start_backoff(self) -> None:
        """Leave the cache alone for a while."""
        self._resting_until = time.monotonic() + BACKOFF_SECONDS

    def _asked(self, packed: bytes, replies: int) -> list[Any]:
        if self._socket is not None:
            try:
                return self._exchanged(packed, replies, self._seconds)
            except ConnectionError:
                pass  # it had died since it was last used; every command here may be said twice
        self._connect()
        return self._exchanged(packed, replies, self._seconds)

    def _exchanged(self, packed: bytes, replies: int, seconds: float) -> list[Any]:
        try:
            return list(self._replies(packed, replies, time.monotonic() + seconds))
        except BaseException:
            # A reply that comes later would be taken for the next one's; and it may be that we were not let in.
            self._drop()
            raise

    def _replies(self, packed: bytes, replies: int, deadline: float) -> Iterator[Any]:
        connection = self._socket
        if connection is None:
            raise ConnectionResetError
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        connection.sendall(packed)
        while replies:
            reply = self._reader.gets()
            if isinstance(reply, hiredis.ReplyError):
                raise CacheErrorReply(str(reply).partition(" ")[0])  # the rest may quote a key
            if reply is not False:
                replies -= 1
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
            self._socket = create_cache_tls_context().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self._reader = hiredis.Reader()
        user = self._user or read_credentials(self._settings.cache_secret_arn)
        # Forgotten where it is refused: the password may have been rotated since it was read.
        self._user = None
        self._exchanged(_pack_command(("AUTH", user.username, user.password)), 1, CONNECT_TIMEOUT_SECONDS)
        self._user = user

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _pack_command(command: Command) -> bytes:
    # hiredis's types know commands of one word only.
    pack: Callable[[tuple[str | bytes, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]
    return pack(tuple(command))
