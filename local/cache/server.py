"""One Redis (or Valkey) server process, with the settings of the deployed cache: TLS only, one user with few
permissions, no data on disk."""

import shutil
import signal
import socket
import ssl
import time
from pathlib import Path

from local.database.accounts import load_or_create_account
from local.database.certificates import create_certificates
from local.process import (
    LocalError,
    find_free_port,
    is_port_free,
    is_running,
    read_pid,
    start_process,
    stop_process,
)

# As in the template: the commands that the functions send, and those that their scripts call.
_USER_PERMISSIONS = "resetkeys ~* resetchannels -@all +auth +mget +get +set +eval +unlink"
_METER = "meter"
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
    """A server in `directory`, which listens on 127.0.0.1 only, with the certificate in `certificates`."""

    host = "127.0.0.1"

    def __init__(self, directory: Path, certificates: Path) -> None:
        self.directory = directory.resolve()
        self.certificates = certificates.resolve()
        self.log = self.directory / "server.log"
        self._settings_file = self.directory / "cache.conf"

    @property
    def credentials(self) -> tuple[str, str]:
        """Name and password of the only user."""
        account = load_or_create_account(self.directory / "user.json", "sluice")
        return account.username, account.password

    @property
    def _meter_password(self) -> str:
        return load_or_create_account(self.directory / "meter.json", _METER).password

    @property
    def port(self) -> int:
        """Its port, chosen at the first start. It changes only if it is not free at a later start."""
        number = read_pid(self.directory / "port")
        if number is None:
            raise LocalError(f"The cache in {self.directory} was never started.")
        return number

    @property
    def pid(self) -> int | None:
        """The pid of the running server, or None."""
        pid = read_pid(self.directory / "pid")
        return pid if is_running(pid, str(self._settings_file)) else None

    def start(self, megabytes: int = 64) -> None:
        """Start it, empty, unless it runs; return when it is ready. Raises LocalError.

        `megabytes` limits its memory; beyond the limit, it evicts the least recently used keys.
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
        (self.directory / "pid").write_text(str(start_process([_find_program(), str(self._settings_file)], self.log)))
        self._wait_until_ready(seconds=20)

    def _write_settings(self, port: int, megabytes: int) -> None:
        name, password = self.credentials
        self._settings_file.touch(mode=0o600)
        self._settings_file.write_text(
            f"{_SETTINGS}maxmemory {megabytes}mb\ntls-port {port}\ndir {self.directory}\n"
            f"tls-cert-file {self.certificates / 'server.pem'}\n"
            f"tls-key-file {self.certificates / 'server.key'}\n"
            f"tls-ca-cert-file {self.certificates / 'ca.pem'}\n"
            f"user {name} on >{password} {_USER_PERMISSIONS}\n"
            f"user {_METER} on >{self._meter_password} resetkeys resetchannels -@all +auth +info\n"
        )

    def _wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self.pid is None:
                raise LocalError("The cache ended during its start.", self.log)
            if time.monotonic() > deadline:
                raise LocalError(f"The cache was not ready within {seconds:.0f} seconds.", self.log)
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether its user can sign in."""
        try:
            return self._exchange(*self.credentials).startswith(b"+OK")
        except OSError:
            return False

    def read_information(self) -> dict[str, float]:
        """The fields of INFO that are numbers. Raises OSError if it is down."""
        if self.pid is None:
            raise OSError("the cache does not run")
        answer = self._exchange(_METER, self._meter_password, "INFO")
        fields = dict(line.split(":", 1) for line in answer.decode().splitlines() if ":" in line)
        return {name: float(value) for name, value in fields.items() if value.replace(".", "", 1).isdigit()}

    def _exchange(self, name: str, password: str, *commands: str) -> bytes:
        """Sign in as a user, send commands, and return all answers as they came.

        Raises OSError if the cache is down, or if a command is answered with an error or something else than a text.
        """
        tls = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
        plain = socket.create_connection((self.host, self.port), 2)
        with tls.wrap_socket(plain, server_hostname="localhost") as connection, connection.makefile("rb") as answers:
            connection.sendall("".join(f"{line}\r\n" for line in (f"AUTH {name} {password}", *commands)).encode())
            answer = answers.readline()
            for _ in commands:
                line = answers.readline()
                if line[:1] not in {b"$", b"+"}:
                    raise OSError(f"the cache answered {line!r}")
                if line[:1] == b"$" and int(line[1:]) >= 0:
                    answer += answers.read(int(line[1:]) + 2)
            return answer

    def stop(self) -> None:
        """Shut it down; its data are lost."""
        stop_process(self.pid, str(self._settings_file), with_signal=signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as when a machine fails."""
        stop_process(self.pid, str(self._settings_file), with_signal=signal.SIGKILL)


def _find_program() -> str:
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    raise LocalError("redis-server is not installed; run `make setup`, which installs it on Debian.")
