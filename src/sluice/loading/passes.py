"""A pass over a batch: read it, apply it part by part, and sum up what came of it."""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sluice.archive import BatchObject
from sluice.cache.touched import Touched
from sluice.database import Connection
from sluice.loading.apply import Applier
from sluice.loading.latest import Choice, Item, Part, Reader, Refused
from sluice.loading.mark import Mark
from sluice.loading.plain import NotPlain, PlainPart
from sluice.loading.routes import Routes
from sluice.loading.staging import RowsRefused
from sluice.loading.statements import Statements

# Greater than any version: what is read line by line is loaded alone, whatever it brings.
LAST = "~"


@dataclass
class Total:
    """What a batch came to. `oldest` is the first moment of acceptance, `newest` the greatest version."""

    applied: int = 0
    stale: int = 0
    unknown_fields: int = 0
    oldest: datetime.datetime | None = None
    newest: str = ""
    refused: list[Refused] = field(default_factory=list)


def plain(  # noqa: PLR0913  what a pass works with
    connection: Connection,
    statements: Mapping[str, Statements],
    parts: Iterable[PlainPart],
    mark: Mark,
    *,
    touched: Touched | None,
    alone: bool,
) -> Total:
    """Apply a plain batch, and say which items it touched.

    Raises NotPlain also when the database refuses a row, NotAlone, MayBeExcluded, and pymysql's errors.
    """
    total, routes = Total(), Routes(connection, statements)
    for part in parts:
        reached = mark.reach(part.newest, part.eldest, alone=alone)
        if touched:
            touched.add(part.rows)
        total.stale += part.superseded
        total.oldest = min(filter(None, (total.oldest, part.oldest)), default=None)
        for collection in sorted(part.rows):
            try:
                tally = routes.apply(collection, part, reached, total.newest)
            except RowsRefused:
                raise NotPlain from None
            total.applied += tally.applied
            total.stale += tally.stale
        total.newest = max(total.newest, part.newest)
    return total


def careful(  # noqa: PLR0913  what a pass works with
    connection: Connection,
    statements: Mapping[str, Statements],
    reader: Reader,
    open_again: Callable[[], BatchObject],
    mark: Mark,
    *,
    touched: Touched | None,
) -> Total:
    """Apply whatever can be applied of a batch, and say what was refused and which items were touched.

    Raises UnreadableBatch, SchemaBehind, MayBeExcluded, and pymysql's errors but those about rows.
    """
    mark.reach(LAST, "", alone=True)
    applier = Applier(connection, statements)
    total = _pass(reader.parts(open_again()), applier, touched)
    again = _items(total.refused)
    while again:
        # A write that was refused may have stood in the way of an earlier one to its item in this batch.
        choice = Choice(again, frozenset(one.line for one in total.refused))
        behind = _pass(reader.parts(open_again(), choice), applier, None)  # none but items of the first pass
        fresh = [one for one in behind.refused if one.item]
        total.applied += behind.applied
        total.stale -= behind.applied + len(fresh)
        total.refused += fresh
        again = _items(fresh)
    return total


def _pass(parts: Iterator[Part], applier: Applier, touched: Touched | None) -> Total:
    """Apply a batch part by part, the collections of each in one order."""
    total = Total()
    for part in parts:
        if touched:
            touched.add(part.rows)
        total.stale += part.superseded
        total.unknown_fields += part.unknown_fields
        total.refused += part.refused
        total.newest = max(total.newest, part.newest)
        total.oldest = min(filter(None, (total.oldest, part.oldest)), default=None)
        for collection in sorted(part.rows):
            tally = applier.apply(collection, part.rows[collection])
            total.applied += tally.applied
            total.stale += tally.stale
            total.refused += tally.refused
    return total


def _items(refused: Iterable[Refused]) -> frozenset[Item]:
    return frozenset(one.item for one in refused if one.item)
