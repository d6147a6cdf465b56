"""Compare the copy with the live state that it had to reach, and describe each difference in one sentence."""

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import batched

from sluice.db.connection import Database
from sluice.model.resource import Resource
from sluice.proof.fingerprint import Fingerprint, find_differing_key, read_fingerprint
from sluice.proof.live_state import LiveState, Servers, Tail, open_snapshot
from sluice.proof.proof_state import Proof
from sluice.proof.tail_load import EXPIRED

KEYS_PER_QUERY = 500
# Rows that a search for a differing key has in memory at a time, of each of the two tables.
ROWS_PER_PART = 50_000


def describe_obstacle(live: LiveState) -> str | None:
    """Why no load can bring the copy to the live state, or None.

    A rebuild changes rows, and excludes writes, without an entry in the ledger for either.
    """
    if live.marks.rebuild != live.copied_marks.rebuild:
        return "A rebuild replaced the tables after this backup was made, so the two cannot be compared."
    if live.marks.exclusions != live.copied_marks.exclusions:
        return "The exclusions changed after this backup was made, so the two cannot be compared."
    return None


def read_copied_fingerprints(proof: Proof, copy: Database, resources: Mapping[str, Resource], seconds: float) -> bool:
    """Compute the fingerprints of the copy's next tables, and return whether all are computed.

    Takes up to `seconds`, plus the time of one table. Raises the database errors of `sluice.errors`.
    """
    deadline = time.monotonic() + seconds
    for name in sorted(resources.keys() - proof.copied.keys()):
        with open_snapshot(copy) as connection:
            proof.copied[name] = read_fingerprint(connection, resources[name])
        if time.monotonic() > deadline:
            break
    return proof.copied.keys() == resources.keys()


def count_lacking_rejected_writes(copy: Database, tail: Tail) -> int:
    """How many rejected writes of the tail the copy still lacks. Raises the database errors of `sluice.errors`."""
    lacking = 0
    for rejected in batched(tail.rejected_writes, KEYS_PER_QUERY):
        rows = copy.query(
            "SELECT version, collection, owner, id, MD5(`write`) AS digest FROM rejected_writes "  # noqa: S608
            f"WHERE version IN ({', '.join(['%s'] * len(rejected))})",
            tuple(key[0] for key in rejected),
        )
        present = {(row["version"], row["collection"], row["owner"], row["id"], row["digest"]) for row in rows}
        lacking += len(set(rejected) - present)
    return lacking


def describe_differences(proof: Proof, live: LiveState, lacking_rejected_writes: int) -> list[str]:
    """One sentence for each difference; no sentence if the copy reached the live state. None of them quotes data."""
    return [
        *_describe_ledgers(live),
        *_describe_failures(proof),
        *_describe_tables(live.fingerprints, proof.copied),
        *_describe_rejected_writes(lacking_rejected_writes),
    ]


def _describe_ledgers(live: LiveState) -> Iterator[str]:
    if live.lost:
        yield (
            f"The backup's ledger lacks {live.lost} batches that were loaded before the backup was made; the first is "
            f"{live.lost_sample[0]}."
        )
    if live.extra:
        yield (
            f"The live ledger lacks {live.extra} batches that the backup's ledger has; the first is "
            f"{live.extra_sample[0]}."
        )


def _describe_failures(proof: Proof) -> Iterator[str]:
    if proof.failed:
        first = proof.failures[0]
        reason = "is no longer in the bucket" if first.error == EXPIRED else "cannot be read any more"
        yield f"The backup lacks {proof.failed} batches that cannot be loaded: the first, {first.key}, {reason}."


def _describe_tables(live: Mapping[str, Fingerprint], copied: Mapping[str, Fingerprint]) -> Iterator[str]:
    for name in list_differing_tables(live, copied):
        yield f"{name}: {_format(live[name])} in the live database, {_format(copied[name])} in the copy."


def list_differing_tables(live: Mapping[str, Fingerprint], copied: Mapping[str, Fingerprint]) -> list[str]:
    """The collections whose fingerprints differ."""
    return [name for name, fingerprint in sorted(live.items()) if copied[name] != fingerprint]


def _format(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.items} items, {fingerprint.tombstones} tombstones and checksum {fingerprint.checksum}"


def _describe_rejected_writes(lacking: int) -> Iterator[str]:
    if lacking:
        yield f"The copy lacks {lacking} rejected writes of the live database, or has them with another text."


def find_examples(
    servers: Servers, resources: Iterable[Resource], live: LiveState, seconds: float
) -> dict[str, tuple[str, str]]:
    """Owner and id of one item that differs, for each of the resources where one is found within `seconds`.

    An item that the live database changed since then cannot be found. Raises the database errors of `sluice.errors`.
    """
    deadline = time.monotonic() + seconds
    examples: dict[str, tuple[str, str]] = {}
    for resource in resources:
        fingerprint = live.fingerprints[resource.collection]
        count = (fingerprint.items + fingerprint.tombstones) // ROWS_PER_PART + 1
        parts = ((number, count) for number in range(count) if time.monotonic() < deadline)
        with open_snapshot(servers.live) as there, open_snapshot(servers.copy) as here:
            if key := find_differing_key(there, here, resource, live.marks.high_water, parts):
                examples[resource.collection] = key
    return examples
