"""Answers to reads of a collection."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from sluice.api.conditions import tag_of, unless_held
from sluice.api.parameters import parameters
from sluice.api.problems import invalid
from sluice.api.responses import Response
from sluice.asking import names
from sluice.indexes import PARAMETERS
from sluice.reading import positions
from sluice.reading.caching import may_be_kept
from sluice.reading.pages import Wanted, page
from sluice.reading.positions import Position
from sluice.reading.question import Question
from sluice.reading.selecting import HIGHEST_LIMIT, LIMIT, Selection, selection
from sluice.resource import Resource


def answer_list(question: Question) -> Response:
    """Answer with a page of the collection. Raises Problem and the faults of `sluice.faults`."""
    resource, owner = question.resource, question.owner
    query = parameters(question.request, PARAMETERS | names(resource))
    limit, fields = _limit(query.get("limit", str(LIMIT))), _fields(resource, query.get("fields"))
    asked = selection(resource, query)
    wanted = Wanted(limit, _after(asked, owner, query), fields)
    found, next_page = page(question.database, asked, owner, wanted)
    body: dict[str, object] = {"items": found}
    headers = may_be_kept(question)
    if next_page:
        body["next"] = positions.written(asked, owner, next_page)
        headers["Link"] = f'<?{urlencode({**query, "limit": limit, "after": body["next"]})}>; rel="next"'
    encoded = msgspec.json.encode(body)
    headers["ETag"] = tag_of(encoded)
    return unless_held(question.request, Response(200, encoded, headers))


def _limit(text: str) -> int:
    limit = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise invalid("limit", f"Expected a number from 1 to {HIGHEST_LIMIT}", 400)
    return limit


def _fields(resource: Resource, text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    fields = frozenset(text.split(","))
    if not fields <= {resource.key, *(column.name for column in resource.columns)}:
        raise invalid("fields", "Expected names of fields, separated by commas", 400)
    return fields


def _after(asked: Selection, owner: str, query: Mapping[str, str]) -> Position | None:
    text = query.get("after", "")
    try:
        return positions.read(asked, owner, text) if text else None
    except ValueError:
        raise invalid("after", "Expected the `next` of an earlier answer to the same question", 400) from None
