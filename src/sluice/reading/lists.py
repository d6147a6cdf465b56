"""Answers to reads of a collection."""

import base64
import re
from urllib.parse import urlencode

import msgspec

from sluice.api.conditions import tag_of, unless_held
from sluice.api.parameters import parameters
from sluice.api.problems import invalid
from sluice.api.responses import Response
from sluice.ids import id_fault
from sluice.reading import items
from sluice.reading.caching import may_be_kept
from sluice.reading.question import Question
from sluice.resource import Resource

LIMIT, HIGHEST_LIMIT = 50, 500


def answer_list(question: Question) -> Response:
    """Answer with a page of the collection. Raises Problem and the faults of `sluice.faults`."""
    query, resource = parameters(question.request, {"limit", "after"}), question.resource
    limit = _limit(query.get("limit", str(LIMIT)))
    after = _position(resource, query.get("after", ""))
    found, more = items.page(question.database, resource, question.owner, after, limit)
    body: dict[str, object] = {"items": found}
    headers = may_be_kept(resource)
    if more:
        body["next"] = base64.urlsafe_b64encode(found[-1].id.encode()).decode()
        headers["Link"] = f'<?{urlencode({"limit": limit, "after": body["next"]})}>; rel="next"'
    encoded = msgspec.json.encode(body)
    headers["ETag"] = tag_of(encoded)
    return unless_held(question.request, Response(200, encoded, headers))


def _limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise invalid("limit", f"Expected a number from 1 to {HIGHEST_LIMIT}", 400)
    return limit


def _position(resource: Resource, after: str) -> str:
    """The id behind an `after`, which only we make and only we read."""
    try:
        item_id = base64.b64decode(after, b"-_", validate=True).decode()
    except ValueError:
        item_id = "?"
    if after and id_fault(resource, item_id):
        raise invalid("after", "Expected the `next` of an earlier answer", 400)
    return item_id
