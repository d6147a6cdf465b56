"""A running local stack as its clients see it."""

from pathlib import Path
from typing import Any

from local.cache import Cache
from local.database import Pair
from local.process import LocalError
from local.stack.edge import Edge
from local.stack.emulator import Emulator
from local.stack.folder import Folder
from local.stack.tokens import machine_token, person_token


class Stack:
    """Addresses, outputs, clients and tokens of a stack that is up."""

    def __init__(self, folder: Folder, pair: Pair, emulator: Emulator, cache: Cache) -> None:
        self.folder = folder
        self.pair = pair
        self.emulator = emulator
        self.edge = Edge(folder, emulator)
        self.cache = cache
        self.outputs = folder.read().outputs

    @classmethod
    def load(cls, folder: Path | None = None) -> "Stack":
        """The stack that `up` has brought up. Raises LocalError when it is not up."""
        home = Folder(folder)
        emulator = Emulator(home)
        if emulator.pid is None or Edge(home, emulator).pid is None or not home.read().outputs:
            raise LocalError("The local stack is not up; run `make up`.")
        pair = Pair(home.database)
        return cls(home, pair, emulator, Cache(home.cache, pair.ca.parent))

    @property
    def api_url(self) -> str:
        """The service's address, the distribution's, without a slash at its end; paths begin with /v1/."""
        return self.edge.url

    @property
    def stage_url(self) -> str:
        """The API's own address, behind the distribution, where its web ACL is evaluated."""
        return f"{self.edge.stage_url}/{self.outputs['StageName']}"

    @property
    def emulated_url(self) -> str:
        """The API without distribution, firewalls and caches before it, where on AWS nobody comes."""
        return f"{self.emulator.url}/_aws/execute-api/{self.outputs['ApiId']}/{self.outputs['StageName']}"

    def boto(self, service: str) -> Any:
        """A boto3 client of the emulator, by boto3's name for the service."""
        return self.emulator.client(service)

    def machine_token(self) -> str:
        """An access token of the machine client with all its scopes."""
        return machine_token(self.emulator, self.outputs)

    def person_token(self, username: str, groups: tuple[str, ...] = ()) -> str:
        """An access token of a person, who is made when missing and put into the groups."""
        return person_token(self.emulator, self.outputs, username, groups)
