"""What caches may do with an answer, and how they know it again."""

from sluice.api.conditions import http_date
from sluice.resource import Resource
from sluice.states import ItemState


def may_be_kept(resource: Resource) -> dict[str, str]:
    """The headers that say who may keep an answer.

    Nobody may use one without asking whether it still holds: a client that was told that its write was applied must
    not be shown what was before. Asking costs a 304, and is where the token is checked. So any cache may keep what is
    shared; what is private only the owner's own, which never takes it for another token's.
    """
    if resource.private:
        return {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    return {"Cache-Control": "public, no-cache"}


def known_by(resource: Resource, item: ItemState) -> dict[str, str]:
    """The headers that tell states of an item apart.

    The tag is the version. Since a class that changed may show the same version otherwise, later revisions are in it.
    """
    revision = f".{resource.revision}" if resource.revision > 1 else ""
    return {"ETag": f'"{item.version}{revision}"', "Last-Modified": http_date(item.written_at)}
