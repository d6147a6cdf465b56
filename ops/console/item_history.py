"""The history of one item: its writes in the batches of a time window, with the state of each."""

import datetime
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from ops.aws import Stack
from ops.commands.rejected_writes import list_rejected_writes
from ops.console.batch_lines import UnreadableBatchError, decode_write, read_lines
from ops.console.batch_window import BatchWindowReader, describe_ledger_failure, get_object_id
from ops.console.messages import HistoryWrite, ItemHistory, Problem, Progress, WriteState
from ops.errors import FunctionError
from ops.times import format_time

# The search ends after this time, or when it has this many writes; it begins with the latest batches.
MAX_SECONDS = 60.0
MAX_WRITES = 1_000
# Batches that are read at once: S3 answers slowly, and decompressing takes one processor.
PARALLEL_READS = 4

Match = tuple[str, int, dict[str, Any]]  # key of the batch, number of the line, write


@dataclass(frozen=True)
class ItemSelection:
    """An item. `owner` is None where the operator does not know it."""

    collection: str
    id: str
    owner: str | None = None

    def matches(self, write: dict[str, Any]) -> bool:
        return (write["collection"], write["id"]) == (self.collection, self.id) and self.owner in {
            None, write["owner"],
        }  # fmt: skip


class HistoryReader:
    """Reads the history of items of one stack."""

    def __init__(self, stack: Stack, windows: BatchWindowReader) -> None:
        self._stack = stack
        self._windows = windows

    def read(
        self, item: ItemSelection, hours: float, show_progress: Callable[[Progress], bool] = lambda _: True
    ) -> ItemHistory:
        """The item's writes that arrived in the latest hours, the oldest first.

        `show_progress` is called after each batch; the search ends when it returns false. Raises CommandError, and the
        exceptions of botocore.
        """
        begins = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)
        objects, is_complete = self._windows.list_batches(begins)
        problems: list[Problem] = []
        matches: list[Match] = []
        scanned, deadline = 0, time.monotonic() + MAX_SECONDS
        for writes, problem in self._search(objects[::-1], item):
            scanned += 1
            matches += writes
            problems += [problem] if problem else []
            wants_more = show_progress(Progress(scanned, len(objects), len(matches)))
            if not wants_more or len(matches) >= MAX_WRITES or time.monotonic() > deadline:
                break
        if scanned < len(objects):
            is_complete = False
            begins = objects[len(objects) - scanned]["LastModified"]
        owners = sorted({write["owner"] for _, _, write in matches})
        states = self._read_states(item, objects, matches, problems)
        return ItemHistory(
            {"collection": item.collection, "id": item.id, "owner": item.owner or (owners or [""])[0]},
            format_time(begins), build_history(matches, *states), owners, scanned, is_complete, problems,
        )  # fmt: skip

    def _search(
        self, objects: list[dict[str, Any]], item: ItemSelection
    ) -> Iterator[tuple[list[Match], Problem | None]]:
        """Search batches, some at once; yield the matches of each in order. Ending early reads no further ones."""
        keys = [entry["Key"] for entry in objects]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            for start in range(0, len(keys), PARALLEL_READS):
                yield from pool.map(self._search_batch, keys[start : start + PARALLEL_READS], repeat(item))

    def _search_batch(self, key: str, item: ItemSelection) -> tuple[list[Match], Problem | None]:
        matches: list[Match] = []
        try:
            # An id has no character that JSON escapes.
            for number, line in read_lines(self._stack, key, f'"{item.id}"'.encode()):
                write = decode_write(line)
                if write and item.matches(write):
                    matches.append((key, number, write))
                if len(matches) >= MAX_WRITES:
                    break
        except UnreadableBatchError as error:
            return matches, Problem(str(error), "See `sluice quarantine list`.")
        return matches, None

    def _read_states(
        self, item: ItemSelection, objects: list[dict[str, Any]], matches: list[Match], problems: list[Problem]
    ) -> tuple[set[str] | None, dict[str, str]]:
        """The keys of the loaded batches (None: unknown), and the reasons of the rejected writes by version."""
        keys = sorted({key for key, _, _ in matches})
        if not keys:
            return set(), {}
        present = {get_object_id(entry) for entry in objects}
        try:
            loaded = {key for key, etag in self._windows.look_up(keys) if (key, etag) in present}
            selection = {"collections": [item.collection], "ids": [item.id]}
            _, rejected = list_rejected_writes(self._stack, selection, MAX_WRITES, with_data=False)
        except FunctionError as failure:
            problems.append(describe_ledger_failure(failure))
            return None, {}
        return loaded, {write["version"]: write["reason"] for write in rejected}


def build_history(matches: list[Match], loaded: set[str] | None, rejected: dict[str, str]) -> list[HistoryWrite]:
    """Order the writes of items by version, join the copies of each, and find what superseded each.

    A write is superseded by the next later write of its item that is loaded and not rejected, as the table has it:
    whatever the order of the loads was.
    """
    copies: dict[str, list[Match]] = {}
    for match in sorted(matches, key=lambda match: (match[2]["version"], match[0], match[1])):
        copies.setdefault(match[2]["version"], []).append(match)
    history: list[HistoryWrite] = []
    next_versions: dict[str, str] = {}  # of the later write that the table has, by owner
    for version, entries in reversed(copies.items()):
        # Where the write is loaded by several batches, the one whose load counts.
        key, line, write = next((entry for entry in entries if loaded and entry[0] in loaded), entries[0])
        state: WriteState = "pending"
        superseded_by = None
        if version in rejected:
            state = "rejected"
        elif loaded is None:
            state = "unknown"
        elif key in loaded:
            superseded_by = next_versions.get(write["owner"])
            state = "superseded" if superseded_by else "applied"
            next_versions[write["owner"]] = version
        history.append(
            HistoryWrite(
                version, write["operation"], write["accepted_at"], key, line, state, superseded_by,
                rejected.get(version), str(write.get("request_id", "")), write.get("data"), len(entries) - 1,
            )
        )  # fmt: skip
    return history[::-1]
