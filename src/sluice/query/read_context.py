"""What every read needs: its request, resource, replica and cache, and the headers that reads share."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.db.connection import Database
from sluice.http.problem import invalid_field_problem
from sluice.http.request import Request
from sluice.http.response import format_http_date
from sluice.model.item_state import ItemState
from sluice.model.resource import Resource, describe_invalid_id
from sluice.model.versions import is_version, version_age_seconds
from sluice.settings import ReadSettings

if TYPE_CHECKING:
    from sluice.cache.reader import CacheReader


@dataclass(frozen=True)
class ReadContext:
    """What is asked, of whose items, of which replica and cache. `owner` is empty in a shared collection."""

    request: Request
    resource: Resource
    owner: str
    database: Database
    settings: ReadSettings
    cache: "CacheReader | None" = None

    @property
    def item_id(self) -> str:
        """The id in the path. Raises Problem 400."""
        if fault := describe_invalid_id(self.resource, self.request.item_id):
            raise invalid_field_problem("id", fault, 400)
        return self.request.item_id


def parse_version(text: str) -> str:
    """A version that a client names. Raises Problem 400."""
    if not is_version(text):
        raise invalid_field_problem("version", "Expected the version of a receipt", 400)
    return text


def cache_control_headers(question: ReadContext) -> dict[str, str]:
    """The headers that say who may keep an answer.

    Nobody may use one without asking whether it still holds: a client that was told that its write was applied must
    not be shown what was before. Asking costs a 304, and is where the token is checked. So any cache may keep what is
    shared, and give it, marked by its age, where asking meets an error; `no-cache` would forbid that. What is private
    only the owner's own may keep, which never takes it for another token's, and never gives without an answer.
    """
    if question.resource.private:
        return {"Cache-Control": "private, no-cache, stale-if-error=0", "Vary": "Authorization"}
    return {"Cache-Control": f"public, max-age=0, stale-if-error={question.settings.stale_seconds}"}


def validator_headers(resource: Resource, item: ItemState) -> dict[str, str]:
    """The headers that tell states of an item apart.

    The tag is the version. Since a class that changed may show the same version otherwise, later revisions are in it.
    """
    revision = f".{resource.revision}" if resource.revision > 1 else ""
    return {"ETag": f'"{item.version}{revision}"', "Last-Modified": format_http_date(item.written_at)}


MAX_RETRY_AFTER_SECONDS = 60


def retry_after_seconds(version: str, buffer_seconds: int) -> int:
    """Seconds until a write should have arrived; when it is overdue, a tenth of its age, so that an outage is not
    asked about by everybody all the time."""
    seconds = version_age_seconds(version)
    left = buffer_seconds - max(seconds, 0)
    return math.ceil(left) if left > 0 else max(1, min(math.floor(seconds / 10), MAX_RETRY_AFTER_SECONDS))
