"""Rotate a database password in the four steps of Secrets Manager. Each step may be repeated, also after a failure.

During a rotation an account accepts two passwords: the current one and the pending one. So no login fails in between,
and a client that read the secret before the rotation can still log in until the next rotation replaces its password.
"""

import random
import secrets
import string
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
import pymysql
from pymysql.constants import ER

from sluice.aws.client import AwsClient
from sluice.aws.secrets import Credentials
from sluice.db.account_passwords import build_password_clause
from sluice.db.connection import Connection, open_connection
from sluice.db.errors import classify_error
from sluice.errors import AccessDenied, AwsError, DatabaseUnavailable, RotationFailed
from sluice.model.schema_names import migration_lock_name
from sluice.observability import add_log_fields
from sluice.settings import DatabaseSettings

STATEMENT_TIMEOUT_SECONDS = 30
# Five replicas that hang, one after the other, must leave time before the function's timeout.
LOGIN_TIMEOUT_SECONDS = 5
LOCK_SECONDS = 20


def allow_both_passwords(
    primary: DatabaseSettings, admin: Credentials, current: Credentials, pending: Credentials
) -> None:
    """Make an account accept its current and its pending password, and no other.

    Raises RotationFailed and the database errors of `sluice.errors`.
    """
    # Connect without a schema: a lost database has none.
    server = msgspec.structs.replace(primary, database_name="")
    with closing(open_connection(server, admin, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)) as connection:
        try:
            # A migration may replace the user meanwhile. The lock ends with the connection.
            lock = migration_lock_name(primary.database_name)
            if not _query_value(connection, "SELECT GET_LOCK(%s, %s)", lock, LOCK_SECONDS):
                raise RotationFailed("A migration is changing the users; Secrets Manager retries the rotation.")
            clause = build_password_clause(current.password, pending.password)
            _set_passwords(connection, _find_account(connection, current), clause)
        except (pymysql.Error, OSError) as error:
            raise _explain_error(error) from None


def _set_passwords(connection: Connection, account: str, clause: str) -> None:
    if clause in _read_definition(connection, account):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER USER {account} {clause}")
    if clause not in _read_definition(connection, account):
        raise RotationFailed("MariaDB accepted the new password without an error, but did not store it.")


def _find_account(connection: Connection, credentials: Credentials) -> str:
    """The account's full name: MariaDB ignores the passwords in ALTER USER CURRENT_USER()."""
    name, _, host = str(_query_value(connection, "SELECT CURRENT_USER()")).rpartition("@")
    parts = (name, host) if name == credentials.username else (credentials.username, "%")
    return "@".join("`" + part.replace("`", "``") + "`" for part in parts)


def _read_definition(connection: Connection, account: str) -> str:
    return str(_query_value(connection, f"SHOW CREATE USER {account}"))


def _query_value(connection: Connection, statement: str, *values: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()[0][0]


def _explain_error(error: pymysql.Error | OSError) -> Exception:
    if error.args and error.args[0] == ER.PASSWORD_NO_MATCH:  # MariaDB's error for an unknown user
        return RotationFailed("The database has no such user; run the migrate function, which creates it.")
    return classify_error(error) or error


LoginFault = AccessDenied | DatabaseUnavailable


def wait_for_logins(
    servers: Sequence[DatabaseSettings], credentials: Credentials, wait_seconds: float
) -> dict[int, LoginFault]:
    """Return as soon as all servers accept the credentials: a replica does when the new password is replicated.

    After `wait_seconds`, returns the last fault of each server that does not, by its position.
    """
    deadline, pause = time.monotonic() + wait_seconds, 0.1
    faults: dict[int, LoginFault] = {}
    waiting = list(range(len(servers)))
    while True:
        faults = {position: fault for position in waiting if (fault := _try_login(servers[position], credentials))}
        waiting = list(faults)
        remaining = deadline - time.monotonic()
        if not waiting or remaining <= 0:
            return faults
        time.sleep(min(remaining, random.uniform(pause / 2, pause)))  # noqa: S311  jitter
        pause = min(pause * 1.5, 2.0)


def _try_login(server: DatabaseSettings, credentials: Credentials) -> LoginFault | None:
    try:
        open_connection(server, credentials, statement_timeout_seconds=LOGIN_TIMEOUT_SECONDS).close()
    except (AccessDenied, DatabaseUnavailable) as fault:
        return fault
    return None


CURRENT_STAGE, PENDING_STAGE = "AWSCURRENT", "AWSPENDING"
_CHARACTERS = string.ascii_letters + string.digits
_LENGTH = 32
# How long the replication of the new password may take.
REPLICA_WAIT_SECONDS = 40.0


class SecretVersions:
    """The versions of one secret. Its JSON has `username`, `password` and perhaps more. Methods raise AwsError."""

    def __init__(self, client: AwsClient, secret_arn: str) -> None:
        self._client = client
        self._arn = secret_arn

    def read_stages(self, version: str) -> frozenset[str]:
        """The stages of a version; none for a version that does not exist."""
        return frozenset(self._read_all_stages().get(version, ()))

    def read_current(self) -> dict[str, Any]:
        """The value of the current version."""
        return self._decode(self._call("GetSecretValue", VersionStage=CURRENT_STAGE))

    def read_pending(self, version: str) -> dict[str, Any] | None:
        """The value of a pending version, or None while the rotation has stored none."""
        try:
            response = self._call("GetSecretValue", VersionId=version, VersionStage=PENDING_STAGE)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        return self._decode(response)

    def put(self, version: str, value: dict[str, Any]) -> None:
        """Store the value of a pending version."""
        self._call(
            "PutSecretValue",
            ClientRequestToken=version,
            SecretString=msgspec.json.encode(value).decode(),
            VersionStages=[PENDING_STAGE],
        )

    def promote(self, version: str) -> None:
        """Make a version the current one."""
        [previous] = [name for name, stages in self._read_all_stages().items() if CURRENT_STAGE in stages]
        self._call(
            "UpdateSecretVersionStage",
            VersionStage=CURRENT_STAGE,
            MoveToVersionId=version,
            RemoveFromVersionId=previous,
        )

    def _read_all_stages(self) -> dict[str, list[str]]:
        return dict(self._call("DescribeSecret")["VersionIdsToStages"])

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._client.call(operation, {"SecretId": self._arn, **parameters})

    def _decode(self, response: dict[str, Any]) -> dict[str, Any]:
        try:
            value = msgspec.json.decode(response["SecretString"], type=dict[str, Any])
            msgspec.convert(value, Credentials)
        except (KeyError, msgspec.MsgspecError):
            raise RotationFailed("The secret is not a JSON object with username and password.") from None
        return value


def parse_credentials(value: dict[str, Any]) -> Credentials:
    return Credentials(value["username"], value["password"])


@dataclass(frozen=True)
class PasswordRotation:
    """One rotation of one secret. `version` is its pending version.

    `read_admin` returns the credentials of a user that may change users on the `primary`. The primary must accept the
    new password, and one of the `replicas` that the user reads: one that is down or lags must not keep a leaked one
    in force. Reads skip it, and it accepts the new password as soon as it has caught up.

    Every step raises RotationFailed, the database errors of `sluice.errors`, or AwsError.
    """

    versions: SecretVersions
    version: str
    primary: DatabaseSettings
    read_admin: Callable[[], Credentials]
    replicas: Sequence[DatabaseSettings] = ()
    wait_seconds: float = REPLICA_WAIT_SECONDS

    def run_step(self, name: str) -> None:
        """Run the step that Secrets Manager names."""
        steps = {
            "createSecret": self._create_password,
            "setSecret": self._set_password,
            "testSecret": self._test_password,
            "finishSecret": self._finish,
        }
        if name not in steps:
            raise RotationFailed("Secrets Manager requested an unknown step.")
        stages = self.versions.read_stages(self.version)
        if CURRENT_STAGE in stages:
            return  # the rotation is finished already
        if PENDING_STAGE not in stages:
            raise RotationFailed("The version is not pending: no rotation of it is in progress.")
        steps[name]()

    def _create_password(self) -> None:
        if self.versions.read_pending(self.version) is None:
            password = "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))
            self.versions.put(self.version, {**self.versions.read_current(), "password": password})

    def _set_password(self) -> None:
        current = parse_credentials(self.versions.read_current())
        allow_both_passwords(self.primary, self.read_admin(), current, self._read_pending())

    def _test_password(self) -> None:
        # Before the first scheduled rotation, Secrets Manager runs this step alone and does not say for which version.
        value = self.versions.read_pending(self.version) or self.versions.read_current()
        self._check_login(parse_credentials(value), self.wait_seconds)

    def _finish(self) -> None:
        # Test again: a change of the instance may have set another password meanwhile.
        self._check_login(self._read_pending(), 0)
        self.versions.promote(self.version)

    def _check_login(self, credentials: Credentials, wait_seconds: float) -> None:
        for fault in wait_for_logins([self.primary], credentials, wait_seconds).values():
            raise fault
        faults = wait_for_logins(self.replicas, credentials, wait_seconds)
        if faults:
            add_log_fields(replicas_without_login=[f"replica-{position + 1}" for position in faults])
        if self.replicas and len(faults) == len(self.replicas):
            raise faults[0]

    def _read_pending(self) -> Credentials:
        value = self.versions.read_pending(self.version)
        if value is None:
            raise RotationFailed("The pending version has no password: createSecret must run first.")
        return parse_credentials(value)
