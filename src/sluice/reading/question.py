"""One GET with everything that it takes to answer it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.api.problems import invalid
from sluice.api.requests import Request
from sluice.database import Database
from sluice.ids import id_fault
from sluice.resource import Resource
from sluice.settings import ReadSettings
from sluice.versions import is_version

if TYPE_CHECKING:  # a function without a cache imports nothing of it
    from sluice.cache.lookup import Lookup


@dataclass(frozen=True)
class Question:
    """What is asked, of whose items, of which replica and cache. `owner` is empty in a shared collection."""

    request: Request
    resource: Resource
    owner: str
    database: Database
    settings: ReadSettings
    cache: "Lookup | None" = None

    @property
    def item_id(self) -> str:
        """The id in the path. Raises Problem 400."""
        if fault := id_fault(self.resource, self.request.item_id):
            raise invalid("id", fault, 400)
        return self.request.item_id


def version_of(text: str) -> str:
    """A version that a client names. Raises Problem 400."""
    if not is_version(text):
        raise invalid("version", "Expected the version of a receipt", 400)
    return text
