"""Rotations of real accounts on the database servers, with their secrets in the emulator's Secrets Manager."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql
import pytest
from pymysql.constants import ER

from local.database import DatabaseServer, DatabaseServers
from sluice.aws import secrets
from sluice.aws.client import create_client
from sluice.aws.secrets import SECRETS_MANAGER_SERVICE, Credentials, read_credentials
from sluice.rotation.password_rotation import PasswordRotation, SecretVersions
from sluice.schema.ddl_executor import Executor
from sluice.schema.grants import LOADER_PRIVILEGES, READER_PRIVILEGES, DatabaseUser, ensure_users
from sluice.settings import DatabaseSettings
from testkit.emulator_harness import build_function, deploy_stack, start_emulator
from tests.database.deployed import Root

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
ROLES = ("loader", "reader", "admin")


@dataclass(frozen=True)
class Vault:
    """`secrets` is a client that acts as Secrets Manager and as operators. `idle` is the ARN of an empty function."""

    secrets: Any
    idle: str


@contextmanager
def vault(state: Path) -> Iterator[Vault]:
    """An emulated Secrets Manager for the project's own client, and a rotation function that does nothing."""
    emulator = start_emulator(state)
    name = {"Fn::GetAtt": ["Idle", "Arn"]}
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": name,
        "Principal": "secretsmanager.amazonaws.com",
    }
    resources = {
        "Idle": build_function("def handle(event, context): pass"),
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(variable)
        patch.setenv("AWS_ENDPOINT_URL", emulator.url)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = create_client(SECRETS_MANAGER_SERVICE)
        patch.setattr(secrets, "get_secrets_client", lambda: client)
        try:
            idle = deploy_stack(emulator, "vault", {"Resources": resources, "Outputs": {"Idle": {"Value": name}}})[
                "Idle"
            ]
            yield Vault(emulator.client("secretsmanager"), idle)
        finally:
            emulator.stop()


class Accounts:
    """An admin, a loader and a reader as the migration creates them, their secrets, and rotations of these."""

    def __init__(self, servers: DatabaseServers, schema: str, vault: Vault) -> None:
        self.servers = servers
        self.schema = schema
        self.root = Root(servers.primary)
        self.primary = self.place(servers.primary)
        self.replicas = [self.place(replica) for replica in servers.replicas]
        self.secrets = vault.secrets
        self._idle = vault.idle
        mark = uuid4().hex[:8]
        self.names = {role: f"{role}_{mark}" for role in ROLES}
        self.arns = {role: self._make_secret(name) for role, name in self.names.items()}
        admin = self.credentials("admin")
        self.root.run(
            f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE USER, RELOAD, CREATE TEMPORARY TABLES ON *.* "
            f"TO {admin.username} IDENTIFIED BY '{admin.password}' WITH GRANT OPTION"
        )
        self.migrate()
        servers.wait_for_replicas()

    def _make_secret(self, name: str) -> str:
        value = json.dumps({"username": name, "password": uuid4().hex, "more": "stays"})
        return str(self.secrets.create_secret(Name=name, SecretString=value)["ARN"])

    def place(self, server: DatabaseServer) -> DatabaseSettings:
        return DatabaseSettings(server.host, server.port, self.schema, "")

    def users(self) -> tuple[DatabaseUser, DatabaseUser]:
        return DatabaseUser("loader", self.credentials("loader"), LOADER_PRIVILEGES), DatabaseUser(
            "reader", self.credentials("reader"), READER_PRIVILEGES
        )

    def migrate(self) -> list[str]:
        """Run the part of a migration that changes users."""
        admin = self.credentials("admin")
        with self.servers.primary.connect(admin.username, admin.password, autocommit=True) as connection:
            return ensure_users(Executor(connection, time.monotonic() + 60), self.schema, self.users())

    def credentials(self, role: str) -> Credentials:
        return read_credentials(self.arns[role])

    def password(self, role: str, version: str | None = None) -> str:
        """The current password, or that of a version."""
        selector = {"VersionId": version} if version else {}
        text = self.secrets.get_secret_value(SecretId=self.arns[role], **selector)["SecretString"]
        return str(json.loads(text)["password"])

    def begin(self, role: str, patience: float = 20.0) -> PasswordRotation:
        """Start a rotation like Secrets Manager: with an empty pending version."""
        answer = self.secrets.rotate_secret(SecretId=self.arns[role], RotationLambdaARN=self._idle)
        return self.rotation(role, answer["VersionId"], patience)

    def rotation(self, role: str, version: str, patience: float = 20.0) -> PasswordRotation:
        return PasswordRotation(
            SecretVersions(secrets.get_secrets_client(), self.arns[role]),
            version,
            primary=self.primary,
            read_admin=lambda: self.credentials("admin"),
            replicas=self.replicas if role == "reader" else (),
            wait_seconds=patience,
        )

    def rotate(self, role: str) -> PasswordRotation:
        rotation = self.begin(role)
        for step in STEPS:
            rotation.run_step(step)
        return rotation

    def can_log_in(self, role: str, password: str, server: DatabaseServer | None = None) -> bool:
        """Whether a server accepts a password; by default the primary."""
        try:
            (server or self.servers.primary).connect(self.names[role], password).close()
        except pymysql.OperationalError as error:
            if error.args[0] != ER.ACCESS_DENIED_ERROR:
                raise
            return False
        return True

    def user_statement(self, role: str) -> str:
        return str(self.root.run(f"SHOW CREATE USER {self.names[role]}")[0][0])

    def drop(self) -> None:
        self.servers.start()
        for name in self.names.values():
            self.root.run(f"DROP USER IF EXISTS {name}")
