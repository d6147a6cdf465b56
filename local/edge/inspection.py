"""One request as the rules of a web ACL look at it."""

from functools import cached_property

from local.edge.messages import Request
from local.edge.modsecurity import Engine, Hit


class Inspection:
    """`limit` is how much of the body the firewall is given, in bytes; `now` a clock in seconds."""

    def __init__(self, request: Request, limit: int, engine: Engine, now: float) -> None:
        self.request = request
        self.limit = limit
        self.now = now
        self.labels: set[str] = set()
        self._engine = engine

    @cached_property
    def hits(self) -> list[Hit]:
        """What the Core Rule Set finds, asked once however many groups want to know."""
        return self._engine.hits(self.request, self.limit)
