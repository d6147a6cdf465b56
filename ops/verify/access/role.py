"""What a role is allowed and not allowed."""

from dataclasses import dataclass

from ops.verify.access.request import Request


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The requests that a role needs, and those that it must not make, besides what is forbidden to all.

    A role with a `condition` of the template exists only where it is true.
    """

    allowed: tuple[Request, ...]
    forbidden: tuple[Request, ...]
    condition: str = ""
