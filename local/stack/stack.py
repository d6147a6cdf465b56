"""A running local stack as its clients see it: addresses, outputs, AWS clients and access tokens."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from local.cache import CacheServer
from local.database import DatabaseServers
from local.process import LocalError
from local.stack.folder import StackFolder
from local.stack.services import EdgeProcess, EmulatorProcess


class Stack:
    """Addresses, outputs, clients and tokens of a stack that is up."""

    def __init__(
        self, folder: StackFolder, servers: DatabaseServers, emulator: EmulatorProcess, cache: CacheServer
    ) -> None:
        self.folder = folder
        self.servers = servers
        self.emulator = emulator
        self.edge = EdgeProcess(folder, emulator)
        self.cache = cache
        self.outputs = folder.read_state().outputs

    @classmethod
    def load(cls, root: Path | None = None) -> "Stack":
        """The stack that `up` started in this folder. Raises LocalError if it is not up."""
        folder = StackFolder(root)
        emulator = EmulatorProcess(folder)
        if emulator.pid is None or EdgeProcess(folder, emulator).pid is None or not folder.read_state().outputs:
            raise LocalError("The local stack is not up; run `make up`.")
        servers = DatabaseServers(folder.database)
        return cls(folder, servers, emulator, CacheServer(folder.cache, servers.ca.parent))

    @property
    def api_url(self) -> str:
        """The URL of the service, which is that of the distribution, without a final slash; paths begin with /v1/."""
        return self.edge.url

    @property
    def stage_url(self) -> str:
        """The API's own URL, behind the distribution. The web ACL of the stage guards it."""
        return f"{self.edge.stage_url}/{self.outputs['StageName']}"

    @property
    def emulator_api_url(self) -> str:
        """The API without distribution, firewalls and caches. On AWS nobody can reach it this way."""
        return f"{self.emulator.url}/_aws/execute-api/{self.outputs['ApiId']}/{self.outputs['StageName']}"

    def aws_client(self, service: str) -> Any:
        """A boto3 client of the emulator, by boto3's name for the service."""
        return self.emulator.client(service)

    def machine_token(self) -> str:
        """An access token of the machine client with all its scopes."""
        return fetch_machine_token(self.emulator, self.outputs)

    def person_token(self, username: str, groups: tuple[str, ...] = ()) -> str:
        """An access token of a person, whom it creates if necessary and adds to the groups."""
        return fetch_person_token(self.emulator, self.outputs, username, groups)


def fetch_machine_token(emulator: EmulatorProcess, outputs: Mapping[str, str]) -> str:
    """Exchange the client credentials for an access token. Raises LocalError if the token endpoint refuses."""
    pool, client = outputs["UserPoolId"], outputs["MachineClientId"]
    description = emulator.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)
    response = httpx.post(
        f"{emulator.url}/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(client, description["UserPoolClient"]["ClientSecret"]),
        trust_env=False,
    )
    if response.status_code != 200:
        raise LocalError(f"The token endpoint responded {response.status_code}: {response.text}")
    return str(response.json()["access_token"])


def fetch_person_token(
    emulator: EmulatorProcess, outputs: Mapping[str, str], username: str, groups: Sequence[str]
) -> str:
    """Sign a person in, with a new password each time. It creates the person if necessary."""
    cognito = emulator.client("cognito-idp")
    person = {"UserPoolId": outputs["UserPoolId"], "Username": username}
    password = f"{secrets.token_urlsafe(18)}aA1!"
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(**person, MessageAction="SUPPRESS", UserAttributes=_build_attributes(username))
    cognito.admin_set_user_password(**person, Password=password, Permanent=True)
    for group in groups:
        cognito.admin_add_user_to_group(**person, GroupName=group)
    response = cognito.initiate_auth(
        ClientId=outputs["PersonClientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": username, "PASSWORD": password},
    )
    return str(response["AuthenticationResult"]["AccessToken"])


def _build_attributes(username: str) -> list[dict[str, str]]:
    address = username if "@" in username else f"{username}@example.com"
    return [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": "true"}]
