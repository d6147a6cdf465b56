"""Load one batch: exactly once in effect, however often it is asked for."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pymysql

from sluice.archive import BatchObject, open_batch
from sluice.database import Database
from sluice.faults import TryAgain, meaning
from sluice.loading.ahead import ahead
from sluice.loading.latest import Reader
from sluice.loading.mark import MayBeExcluded, NotAlone
from sluice.loading.plain import NotPlain, PlainReader
from sluice.loading.statements import statements
from sluice.loading.transaction import Entry, Manner, Means, Outcome, Transaction
from sluice.resource import Resource

if TYPE_CHECKING:  # a function without a cache does not import its client
    from sluice.cache.withdrawal import Withdrawal

TRIES = 4
PAUSE = 0.2  # seconds, the most before the first try again


class Loader:
    """Loads batches into the primary, one at a time, over one warm connection."""

    def __init__(
        self,
        database: Database,
        resources: Mapping[str, Resource],
        open_batch: Callable[[str, str], BatchObject] = open_batch,
        entry: Entry = "once",
        cache: "Withdrawal | None" = None,
    ) -> None:
        self._database = database
        by_name = {name: statements(one) for name, one in resources.items()}
        self._means = Means(open_batch, entry, cache, by_name, PlainReader(resources), Reader(resources))
        # Whether the last batch had writes that may have been excluded: then the next one has too.
        self._filters = False

    def load(self, bucket: str, key: str) -> Outcome:
        """Load a batch.

        Raises the faults of `sluice.faults` (then nothing of the batch is in the database) and botocore's errors.
        """
        manner, attempt = Manner(filtered=self._filters), 1
        while True:
            try:
                return self._load(bucket, key, manner)
            except NotPlain:
                manner = replace(manner, careful=True)
            except NotAlone:
                manner = replace(manner, alone=True)
            except MayBeExcluded:
                manner = replace(manner, filtered=True)
            except TryAgain:
                if attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, PAUSE * 2**attempt))  # noqa: S311  jitter
                attempt += 1

    def _load(self, bucket: str, key: str, manner: Manner) -> Outcome:
        started = time.monotonic()
        batch = self._means.open_batch(bucket, key)
        plain = iter(()) if manner.careful or manner.filtered else self._means.plain_reader.parts(batch)
        # Reading goes on ahead while the connection is made, the ledger asked and the database at work.
        with ahead(plain) as parts:
            connection = self._database.live_connection()
            try:
                outcome, self._filters = Transaction(self._means, connection, bucket, batch, parts, manner).run(started)
            except BaseException as error:
                if isinstance(error, NotPlain | NotAlone | MayBeExcluded):
                    connection.rollback()
                    raise
                # Whatever the transaction holds is undone with the connection, also when the server is past answering.
                self._database.drop()
                if isinstance(error, pymysql.Error | OSError) and (fault := meaning(error)):
                    raise fault from None
                raise
        outcome.duration_ms = round((time.monotonic() - started) * 1000)
        return outcome
