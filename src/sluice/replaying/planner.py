"""Planning a replay and verifying it: S3 page by page, less what the ledger has."""

import datetime
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice import archive
from sluice.archive import Listed
from sluice.database import Database
from sluice.replaying.missing import missing
from sluice.replaying.plan import Plan
from sluice.replaying.request import understood
from sluice.replaying.window import key_range

# Objects of one part. The last page may bring up to 999 more.
PART = 5_000

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Buckets:
    """Where the objects are. The manifests and results go to that of the batches."""

    batches: str
    archive: str


class Planner:
    """Looks through S3 in steps, each as long as its caller has time. `primary` has the ledger, `shadow` a rebuild's.

    A replica would do as well for the tables, but what it lacks while it lags would be taken for missing.
    """

    def __init__(self, primary: Database, shadow: Database, buckets: Buckets, concurrency: int) -> None:
        self._primary = primary
        self._shadow = shadow
        self._buckets = buckets
        self._concurrency = concurrency

    def begin(self, name: str, given: Any, known: Collection[str], now: datetime.datetime) -> Plan:
        """A new plan for an execution's input. Raises the errors of `sluice.inputs`."""
        request = understood(given, known, now)
        archived = request.source == "archive"
        return Plan(
            name=name,
            request=request,
            bucket=self._buckets.archive if archived else self._buckets.batches,
            started_at=now,
            before=now - datetime.timedelta(seconds=request.min_age),
            # A rebuild takes its time, and leaves room for the loads of live traffic.
            concurrency=max(1, self._concurrency - 1) if request.shadow else self._concurrency,
            patience=2 * self._concurrency,
            archived=archived,
            again=request.mode == "all",
        )

    def plan(self, plan: Plan, seconds: float) -> Plan:
        """Find the next part, write its manifest, and say in the plan how far that got.

        It takes up to `seconds` and the time of one page. Raises the faults of `sluice.faults` and botocore's errors.
        """
        deadline, found = time.monotonic() + seconds, list[Listed]()
        for page in self._pages(plan, plan.cursor):
            plan.cursor = page[-1].key
            counted = self._counted(plan, page)
            plan.listed += len(counted)
            plan.listed_bytes += sum(one.size for one in counted)
            found += counted if plan.again else self._missing(plan, counted)
            if len(found) >= PART or time.monotonic() > deadline:
                break
        else:
            plan.done = True
        plan.planned.add(found)
        plan.next_part(len(found))
        if found:
            archive.write(self._buckets.batches, plan.manifest, b"".join(_line(one) for one in found))
        return plan

    def verify(self, plan: Plan, seconds: float) -> Plan:
        """Go on listing S3 and the ledger once more, and count what remains. As `plan` in time and errors.

        What is not entered in the ledger can only be told from what its loads said.
        """
        if not plan.request.by_ledger:
            plan.remaining.objects = plan.planned.objects - plan.count.loaded - plan.count.already_loaded
            plan.verified = True
            return plan
        deadline = time.monotonic() + seconds
        for page in self._pages(plan, plan.verify_cursor):
            plan.verify_cursor = page[-1].key
            plan.remaining.add(self._missing(plan, self._counted(plan, page)))
            if time.monotonic() > deadline:
                return plan
        plan.verified = True
        return plan

    def _missing(self, plan: Plan, objects: list[Listed]) -> list[Listed]:
        return missing(self._shadow if plan.request.shadow else self._primary, plan.bucket, objects)

    @staticmethod
    def _pages(plan: Plan, cursor: str) -> Iterator[list[Listed]]:
        keys = key_range(plan.request)
        return archive.pages(plan.bucket, keys.prefix, max(keys.after, cursor), keys.until)

    @staticmethod
    def _counted(plan: Plan, page: list[Listed]) -> list[Listed]:
        return [one for one in page if one.modified <= plan.before]


def _line(one: Listed) -> bytes:
    return _encoder.encode({"key": one.key, "etag": one.etag, "size": one.size}) + b"\n"
