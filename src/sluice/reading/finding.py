"""Finding an item: in the cache, where there is one, else on the replica."""

from sluice.reading import items
from sluice.reading.question import Question
from sluice.states import Address, ItemState


def found(question: Question, item_id: str, version: str = "") -> ItemState | None:
    """The state of an item at a version or later, None while there is none. Raises the faults of `sluice.faults`.

    The cache has only what the replica has shown: an answer out of it is never ahead of the replica.
    """
    cache, address = question.cache, Address(question.resource, question.owner, item_id)
    if cache is None:
        row = items.one(question.database, address, version)
        return items.state_of(question.resource, row) if row else None
    kept = cache.find(address)
    if kept and kept.version >= version:
        return kept
    asked = cache.clock()
    row = items.one(question.database, address, version, cache.current)
    if row is None:
        return None
    state = items.state_of(question.resource, row)
    cache.keep(address, state, row["more"], asked)
    return state
