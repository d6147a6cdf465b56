"""What every read needs: its request, resource, replica and cache, and the headers that several reads send."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.http.conditional_requests import format_http_date
from sluice.http.problem import invalid_field_problem
from sluice.http.request import Request
from sluice.model.item_state import ItemState
from sluice.model.resource import Resource, describe_invalid_id
from sluice.model.versions import is_version, version_age_seconds
from sluice.query.replica_reads import ReplicaReads
from sluice.settings import ReadSettings

if TYPE_CHECKING:  # a function without a cache does not import the cache's code
    from sluice.cache.reader import CacheReader

MAX_RETRY_AFTER_SECONDS = 60


@dataclass(frozen=True)
class ReadContext:
    """One GET, and what serves it. `owner` is empty in a shared collection; `reads` reads from the replicas."""

    request: Request
    resource: Resource
    owner: str
    reads: ReplicaReads
    settings: ReadSettings
    cache: "CacheReader | None" = None

    @property
    def item_id(self) -> str:
        """The id in the path. Raises Problem 400 if it is invalid."""
        if fault := describe_invalid_id(self.resource, self.request.item_id):
            raise invalid_field_problem("id", fault, 400)
        return self.request.item_id


def validate_version(text: str) -> str:
    """Return the version that a client sent. Raises Problem 400 if it is invalid."""
    if not is_version(text):
        raise invalid_field_problem("version", "Expected the version of a receipt", 400)
    return text


def cache_control_headers(context: ReadContext) -> dict[str, str]:
    """Return the headers that say which caches may store a response.

    Every cache must revalidate before it uses a stored response: a client whose receipt says "applied" must not see
    the state before its write. Revalidation costs a 304, and it is where the token is checked. Any cache may store a
    shared response, and may serve it stale, marked by its age, when revalidation fails; `no-cache` would forbid that.
    Only the owner's own cache may store a private response. It never serves it for another token, and never stale.
    """
    if context.resource.private:
        return {"Cache-Control": "private, no-cache, stale-if-error=0", "Vary": "Authorization"}
    return {"Cache-Control": f"public, max-age=0, stale-if-error={context.settings.stale_seconds}"}


def validator_headers(resource: Resource, state: ItemState) -> dict[str, str]:
    """Return the validators of an item's state: ETag and Last-Modified.

    The ETag is the version. A changed class can represent the same version in another way, so the ETag also contains
    every revision after the first.
    """
    return {"ETag": create_etag(resource, state.version), "Last-Modified": format_http_date(state.written_at)}


def create_etag(resource: Resource, version: str) -> str:
    """Create the ETag of an item's version, see above."""
    revision = f".{resource.revision}" if resource.revision > 1 else ""
    return f'"{version}{revision}"'


def retry_after_seconds(version: str, buffer_seconds: int) -> int:
    """Return the seconds until a pending write is expected in the replica.

    For an overdue write, this is a tenth of its age, so that clients poll less often during a long outage.
    """
    age_seconds = version_age_seconds(version)
    remaining_seconds = buffer_seconds - max(age_seconds, 0)
    if remaining_seconds > 0:
        return math.ceil(remaining_seconds)
    return max(1, min(math.floor(age_seconds / 10), MAX_RETRY_AFTER_SECONDS))
