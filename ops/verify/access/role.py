"""What a role is allowed and not allowed."""

from dataclasses import dataclass

from ops.verify.access.request import Request


@dataclass(frozen=True)
class Permissions:
    """The requests that a role needs, and those that it must not make, besides what is forbidden to all."""

    allowed: tuple[Request, ...]
    forbidden: tuple[Request, ...]
