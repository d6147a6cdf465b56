"""The writes that rebuilds left out, kept beside the rows: a load of a batch goes without them."""

from dataclasses import replace

import msgspec

from sluice.archive import BatchObject
from sluice.database import Connection
from sluice.exclusions import Exclusion, Rule, without

_READ = "SELECT execution, rules, reason, made_at FROM exclusions"

_rules = msgspec.json.Decoder(tuple[Rule, ...])


def left_out(connection: Connection, batch: BatchObject, *, numbered: bool) -> BatchObject:
    """The batch without the writes that were excluded; with `numbered`, its lines keep their numbers.

    Raises pymysql's errors.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        rows = cursor.fetchall()
    found = [
        Exclusion(execution=name, rules=_rules.decode(rules), reason=why, made_at=at) for name, rules, why, at in rows
    ]
    change, leave_out = batch.change, without(found, numbered=numbered)
    return replace(batch, change=(lambda block: leave_out(change(block))) if change else leave_out)
