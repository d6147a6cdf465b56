"""One Redis (or Valkey) server process: TLS only, one user with few rights, nothing kept on disk, as deployed."""

import shutil
import signal
import socket
import ssl
import time
from pathlib import Path

from local.database.accounts import load_or_create_account
from local.database.certificates import create_certificates
from local.process import LocalError, find_free_port, is_port_free, is_running, read_pid, start_process, stop_process

# As in the template: what the functions send, and what their scripts call. Everything else is refused.
_RIGHTS = "resetkeys ~* resetchannels -@all +auth +mget +get +set +eval +unlink"
_SETTINGS = """
bind 127.0.0.1
port 0
tls-auth-clients no
save ""
appendonly no
maxmemory-policy allkeys-lru
set-proc-title no
user default off resetpass -@all
"""


class CacheServer:
    """A server in `directory`, which listens on 127.0.0.1 only and shows the certificate in `certificates`."""

    host = "127.0.0.1"

    def __init__(self, directory: Path, certificates: Path) -> None:
        self.directory = directory.resolve()
        self.certificates = certificates.resolve()
        self.log = self.directory / "server.log"
        self._settings = self.directory / "cache.conf"

    @property
    def credentials(self) -> tuple[str, str]:
        """Name and password of the one user."""
        account = load_or_create_account(self.directory / "user.json", "sluice")
        return account.username, account.password

    @property
    def port(self) -> int:
        """The port it listens on; chosen at the first start and kept while it is free."""
        number = read_pid(self.directory / "port")
        if number is None:
            raise LocalError(f"The cache in {self.directory} was never started.")
        return number

    @property
    def pid(self) -> int | None:
        """The pid of the running server, or None."""
        pid = read_pid(self.directory / "pid")
        return pid if is_running(pid, str(self._settings)) else None

    def start(self, megabytes: int = 64) -> None:
        """Start it, empty, if it does not run; return when it answers. Raises LocalError.

        `megabytes` is what it may hold; beyond that, what was used least goes.
        """
        if self.pid is not None:
            return
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_certificates(self.certificates)
        port = read_pid(self.directory / "port")
        if port is None or not is_port_free(port):
            port = find_free_port()
            (self.directory / "port").write_text(str(port))
        self._write_settings(port, megabytes)
        (self.directory / "pid").write_text(str(start_process([_program(), str(self._settings)], self.log)))
        self._wait_until_answering(seconds=20)

    def _write_settings(self, port: int, megabytes: int) -> None:
        name, password = self.credentials
        self._settings.touch(mode=0o600)
        self._settings.write_text(
            f"{_SETTINGS}maxmemory {megabytes}mb\ntls-port {port}\ndir {self.directory}\n"
            f"tls-cert-file {self.certificates / 'server.pem'}\n"
            f"tls-key-file {self.certificates / 'server.key'}\n"
            f"tls-ca-cert-file {self.certificates / 'ca.pem'}\n"
            f"user {name} on >{password} {_RIGHTS}\n"
        )

    def _wait_until_answering(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self.pid is None:
                raise LocalError("The cache ended while starting.", self.log)
            if time.monotonic() > deadline:
                raise LocalError(f"The cache did not answer within {seconds:.0f} seconds.", self.log)
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether it lets its user in."""
        name, password = self.credentials
        trust = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
        try:
            plain = socket.create_connection((self.host, self.port), 2)
            with trust.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(f"AUTH {name} {password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False

    def stop(self) -> None:
        """Shut it down; whatever it kept is gone."""
        stop_process(self.pid, str(self._settings), with_signal=signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what a lost machine looks like."""
        stop_process(self.pid, str(self._settings), with_signal=signal.SIGKILL)


def _program() -> str:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise LocalError("redis-server is not installed; run `make setup`, which installs it where there is an apt.")
