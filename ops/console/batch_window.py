"""The batches of a time window: S3's listing, joined with the ledger, the quarantine and the parked loads."""

import datetime
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from ops.aws import Stack
from ops.batches import (
    BATCH_PREFIX,
    LEDGER_ERRORS,
    MAX_INSPECTED_EXECUTIONS,
    find_parked_key,
    list_objects,
    list_quarantined_batches,
    read_batch_head,
)
from ops.console.batch_lines import UnreadableBatchError
from ops.console.messages import Batch, BatchState, Problem
from ops.errors import FunctionError
from ops.times import format_time
from ops.workflows import list_executions

# A batch's key has the hour of its oldest record, and the batch arrives up to half an hour after the record.
KEY_OVERLAP = datetime.timedelta(hours=1)
# The most batches that a window shows, the latest ones. At the default of BufferSeconds that is a week.
MAX_BATCHES = 10_000
# The most keys that the plan function looks up at once.
KEYS_PER_LOOKUP = 500

LedgerEntry = dict[str, Any]
ObjectId = tuple[str, str]  # key and ETag


@dataclass(frozen=True)
class BatchWindow:
    """The batches of a window, the oldest first. `is_complete` is false when there are more than MAX_BATCHES."""

    batches: list[Batch]
    is_complete: bool
    problems: list[Problem]


class BatchWindowReader:
    """Reads windows of one stack. It remembers what the ledger had, for the time in which it cannot be read."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._loaded: dict[ObjectId, LedgerEntry] = {}
        self._was_ledger_read = False
        self._parked_keys: dict[str, str] = {}  # by ARN of a failed load; empty when it was not parked

    def read(self, begins: datetime.datetime) -> BatchWindow:
        """The batches delivered since a time. Raises CommandError, and the exceptions of botocore."""
        objects, is_complete = self.list_batches(begins)
        problems: list[Problem] = []
        return BatchWindow(self._describe_all(objects, problems), is_complete, problems)

    def read_batch(self, key: str) -> Batch:
        """One batch. Raises UnreadableBatchError when it does not exist, CommandError, and botocore's exceptions."""
        head = read_batch_head(self._stack, key)
        if head is None:
            raise UnreadableBatchError(f"There is no batch {key}.")
        entry = {**head, "Key": key, "Size": head["ContentLength"]}
        [batch] = self._describe_all([entry], [])
        return batch

    def list_batches(self, begins: datetime.datetime) -> tuple[list[dict[str, Any]], bool]:
        """S3's entries of the batches delivered since a time, and whether these are all of them."""
        hour = f"{BATCH_PREFIX}{begins.astimezone(datetime.UTC) - KEY_OVERLAP:%Y/%m/%d/%H}/"
        # S3's times are whole seconds.
        first = begins.replace(microsecond=0)
        entries: deque[dict[str, Any]] = deque(maxlen=MAX_BATCHES)
        count = 0
        for entry in list_objects(self._stack, BATCH_PREFIX, after=hour):
            if entry["LastModified"] >= first:
                entries.append(entry)
                count += 1
        return sorted(entries, key=lambda entry: entry["LastModified"]), count == len(entries)

    def look_up(self, keys: list[str]) -> dict[ObjectId, LedgerEntry]:
        """The ledger's entries for batches. Raises FunctionError when the ledger cannot be read."""
        entries = {}
        for start in range(0, len(keys), KEYS_PER_LOOKUP):
            event = {"step": "look_up", "keys": keys[start : start + KEYS_PER_LOOKUP]}
            for entry in self._stack.invoke("Plan", event)["loaded"]:
                entries[entry["key"], entry["etag"]] = entry
        return entries

    def _describe_all(self, objects: list[dict[str, Any]], problems: list[Problem]) -> list[Batch]:
        """The batches for S3's entries. Adds to `problems` why the ledger cannot be read."""
        with self._lock:
            try:
                # Also those that were loaded before: a restored database has lost some.
                loaded = self.look_up([entry["Key"] for entry in objects])
                for entry in objects:
                    self._loaded.pop(get_object_id(entry), None)
                self._loaded |= loaded
                self._was_ledger_read = True
            except FunctionError as failure:
                problems.append(describe_ledger_failure(failure))
            quarantined = {batch.key for batch in list_quarantined_batches(self._stack)}
            lacking = {entry["Key"] for entry in objects if get_object_id(entry) not in self._loaded}
            parked = self._find_parked_keys() if lacking - quarantined else set()
            return [self._describe(entry, quarantined, parked) for entry in objects]

    def _find_parked_keys(self) -> set[str]:
        """The keys of batches whose load gave up. A failed execution does not change, so it is read once."""
        for execution in list_executions(self._stack, "load_batch", "FAILED", MAX_INSPECTED_EXECUTIONS):
            if execution.arn not in self._parked_keys:
                self._parked_keys[execution.arn] = find_parked_key(self._stack, execution.arn)
        return {*self._parked_keys.values()} - {""}

    def _describe(self, entry: dict[str, Any], quarantined: set[str], parked: set[str]) -> Batch:
        key, delivered_at = entry["Key"], entry["LastModified"]
        loaded = self._loaded.get(get_object_id(entry))
        state: BatchState = "pending"
        if loaded:
            state = "loaded"
        elif key in quarantined:
            state = "quarantined"
        elif key in parked:
            state = "parked"
        elif not self._was_ledger_read:
            state = "unknown"
        batch = Batch(key, format_time(delivered_at), entry["Size"], state)
        if loaded is None:
            return batch
        applied, stale, rejected = (int(loaded[name]) for name in ("applied", "stale", "rejected"))
        return replace(
            batch,
            loaded_at=format_time(datetime.datetime.fromisoformat(loaded["loaded_at"])),
            writes=applied + stale + rejected,
            applied=applied,
            stale=stale,
            rejected=rejected,
        )


def get_object_id(entry: dict[str, Any]) -> ObjectId:
    """Key and ETag of S3's entry, as the ledger has them."""
    return entry["Key"], entry["ETag"].strip('"')


def describe_ledger_failure(failure: FunctionError) -> Problem:
    """Why the ledger could not be read. Raises the failure when it is not about the database."""
    if failure.error in LEDGER_ERRORS:
        return Problem(
            "The ledger cannot be read: the primary is unavailable.", "What was loaded meanwhile is shown later."
        )
    if failure.error == "KeyError":
        return Problem("The stack cannot look up batches: it is an older version.", "Deploy the current version.")
    raise failure
