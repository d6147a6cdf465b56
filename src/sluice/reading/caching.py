"""What caches may do with an answer, and how they know it again."""

from sluice.api.conditions import http_date
from sluice.reading.question import Question
from sluice.resource import Resource
from sluice.states import ItemState


def may_be_kept(question: Question) -> dict[str, str]:
    """The headers that say who may keep an answer.

    Nobody may use one without asking whether it still holds: a client that was told that its write was applied must
    not be shown what was before. Asking costs a 304, and is where the token is checked. So any cache may keep what is
    shared, and give it, marked by its age, where asking meets an error; `no-cache` would forbid that. What is private
    only the owner's own may keep, which never takes it for another token's, and never gives without an answer.
    """
    if question.resource.private:
        return {"Cache-Control": "private, no-cache, stale-if-error=0", "Vary": "Authorization"}
    return {"Cache-Control": f"public, max-age=0, stale-if-error={question.settings.stale_seconds}"}


def known_by(resource: Resource, item: ItemState) -> dict[str, str]:
    """The headers that tell states of an item apart.

    The tag is the version. Since a class that changed may show the same version otherwise, later revisions are in it.
    """
    revision = f".{resource.revision}" if resource.revision > 1 else ""
    return {"ETag": f'"{item.version}{revision}"', "Last-Modified": http_date(item.written_at)}
