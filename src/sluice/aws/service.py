"""A service of AWS, and what it is asked with."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Service:
    """A service by its name in addresses and signatures, by its name in variables, and by its API's name."""

    name: str
    variable: str
    target: str
    connect_seconds: float = 1
    read_seconds: float = 2
    tries: int = 3


class Client(Protocol):
    """What a service is asked with."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Call an operation and return its answer. Bytes among the parameters are blobs. Raises AwsError."""
