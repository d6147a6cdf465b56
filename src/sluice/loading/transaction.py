"""One try at a batch: its rows, its entry in the ledger and its rejects, in one transaction."""

import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sluice.archive import BatchObject, blocks
from sluice.cache.generation import Generations
from sluice.cache.touched import Touched
from sluice.database import Connection
from sluice.faults import TryAgain
from sluice.loading import excluded, ledger, passes
from sluice.loading.ahead import ahead
from sluice.loading.latest import Reader, Refused, as_write
from sluice.loading.mark import Mark
from sluice.loading.passes import Total
from sluice.loading.plain import PlainPart, PlainReader
from sluice.loading.statements import Statements

if TYPE_CHECKING:  # a function without a cache does not import its client
    from sluice.cache.withdrawal import Withdrawal

# What a load does with the ledger: `once` enters a batch that is not in it and loads no other; `again` enters it and
# loads it at any rate; `never` neither asks nor enters, for what is no whole batch.
Entry = Literal["once", "again", "never"]


@dataclass
class Outcome:
    """What a load came to. `lag_ms` is from the oldest write's acceptance to the commit."""

    key: str
    etag: str
    status: str
    applied: int = 0
    stale: int = 0
    rejected: int = 0
    unknown_fields: int = 0
    duration_ms: int = 0
    lag_ms: int = 0


@dataclass(frozen=True)
class Manner:
    """How a load is tried: plainly and with others at first; with care, alone, and without what was excluded, when that
    turns out to be needed."""

    careful: bool = False
    alone: bool = False
    filtered: bool = False


@dataclass(frozen=True)
class Means:
    """What the loads of one loader have in common. `open_batch` takes bucket and key."""

    open_batch: Callable[[str, str], BatchObject]
    entry: Entry
    cache: "Withdrawal | None"
    statements: Mapping[str, Statements]
    plain_reader: PlainReader
    reader: Reader


@dataclass(frozen=True)
class Transaction:
    """What one try works with: a connection without a transaction, the batch, and its plain parts, read ahead."""

    means: Means
    connection: Connection
    bucket: str
    batch: BatchObject
    parts: Iterator[PlainPart]
    manner: Manner

    def run(self, started: float) -> tuple[Outcome, bool]:
        """Load the batch and commit. `started` is on the monotonic clock.

        Returns what it came to, and whether it had writes that may have been excluded. Raises NotPlain, NotAlone and
        MayBeExcluded (to be tried in another manner), the faults of reading, and pymysql's errors; nothing is committed
        then.
        """
        outcome = Outcome(self.batch.key, self.batch.etag, "loaded")
        self.connection.begin()
        if not self._entered():
            self.connection.rollback()
            outcome.status = "already_loaded"
            return outcome, self.manner.filtered
        mark = Mark(self.connection, self.means.statements, filtered=self.manner.filtered)
        touched = Touched() if self.means.cache else None
        total = self._apply(mark, touched)
        mark.move(total.newest)
        outcome.applied, outcome.stale, outcome.unknown_fields = total.applied, total.stale, total.unknown_fields
        outcome.rejected = len(total.refused)
        if self.means.entry != "never":
            counts = (outcome.applied, outcome.stale, outcome.rejected)
            took = round((time.monotonic() - started) * 1000)
            ledger.complete(self.connection, self.batch.key, self.batch.etag, counts, took)
        self._withdraw(touched)
        self.connection.commit()
        if total.oldest:
            outcome.lag_ms = round((datetime.datetime.now(datetime.UTC) - total.oldest).total_seconds() * 1000)
        return outcome, mark.near

    def _entered(self) -> bool:
        """Whether the batch is to be loaded."""
        if self.means.entry == "never":
            return True
        return ledger.enter(self.connection, self.batch.key, self.batch.etag) or self.means.entry == "again"

    def _withdraw(self, touched: Touched | None) -> None:
        """Nothing may come between this and the commit: other loads wait for the row that it locks."""
        row = Generations(self.connection)
        if self.means.cache and touched:
            self.means.cache.withdraw(row, touched)
        else:
            # A cache that was turned off would not know of this load when it is turned on again.
            row.end()

    def _apply(self, mark: Mark, touched: Touched | None) -> Total:
        batch = self.batch
        if self.manner.filtered:
            # Within the transaction: a rebuild that is swapped in could bring other rules.
            batch = excluded.left_out(self.connection, batch, numbered=self.manner.careful)
        if not self.manner.careful:
            return self._apply_plainly(batch, mark, touched)

        def open_again() -> BatchObject:
            found = self.means.open_batch(self.bucket, batch.key)
            if found.etag != batch.etag:
                raise TryAgain("the object was written anew meanwhile")
            return replace(found, change=batch.change)

        means = self.means
        total = passes.careful(self.connection, means.statements, means.reader, open_again, mark, touched=touched)
        if total.refused:
            ledger.reject(self.connection, batch.key, list(_rejected(open_again(), total.refused)))
        return total

    def _apply_plainly(self, batch: BatchObject, mark: Mark, touched: Touched | None) -> Total:
        statements, alone = self.means.statements, self.manner.alone
        if not self.manner.filtered:
            return passes.plain(self.connection, statements, self.parts, mark, touched=touched, alone=alone)
        with ahead(self.means.plain_reader.parts(batch)) as parts:
            return passes.plain(self.connection, statements, parts, mark, touched=touched, alone=alone)


def _rejected(batch: BatchObject, refused: Iterable[Refused]) -> Iterable[ledger.Rejected]:
    """Read a batch once more for the writes that were refused: to keep every line on the way would cost its memory."""
    reasons = {one.line: one.reason for one in refused}
    number = 0
    for block in blocks(batch):
        for text in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number in reasons:
                yield ledger.Rejected(reasons[number], as_write(text, number), text, number)
