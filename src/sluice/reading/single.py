"""Answers to reads of an item."""

from sluice.api.conditions import unless_held
from sluice.api.parameters import parameters
from sluice.api.problems import Problem
from sluice.api.responses import Response
from sluice.observability import note
from sluice.reading.caching import known_by, may_be_kept
from sluice.reading.finding import found
from sluice.reading.question import Question
from sluice.states import ItemState


def answer_item(question: Question) -> Response:
    """Answer with the item as the replica has it, or as it had it when the cache took it.

    Raises Problem and the faults of `sluice.faults`.
    """
    parameters(question.request)
    return shown(question, found(question, question.item_id))


def shown(question: Question, state: ItemState | None) -> Response:
    """An item as an answer, unless the client holds it. Raises Problem 404 where there is none."""
    if state is None or state.body is None:
        raise Problem(404, "There is no such item.")
    note(version=state.version)
    headers = may_be_kept(question) | known_by(question.resource, state)
    return unless_held(question.request, Response(200, state.body, headers))
