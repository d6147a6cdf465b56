"""Answers to reads of an item."""

import msgspec

from sluice.api.conditions import unless_held
from sluice.api.parameters import parameters
from sluice.api.problems import Problem
from sluice.api.responses import Response
from sluice.observability import note
from sluice.reading import items
from sluice.reading.caching import known_by, may_be_kept
from sluice.reading.items import StoredItem
from sluice.reading.question import Question


def answer_item(question: Question) -> Response:
    """Answer with the item as the replica has it. Raises Problem and the faults of `sluice.faults`."""
    parameters(question.request)
    return shown(question, items.one(question.database, question.resource, question.owner, question.item_id))


def shown(question: Question, item: StoredItem | None) -> Response:
    """An item as an answer, unless the client holds it. Raises Problem 404 where there is none."""
    if item is None:
        raise Problem(404, "There is no such item.")
    note(version=item.version)
    headers = may_be_kept(question) | known_by(question.resource, item)
    return unless_held(question.request, Response(200, msgspec.json.encode(item), headers))
