"""The steps of a proof that need the databases, each as one call that takes a limited time."""

import time
from collections.abc import Mapping
from contextlib import closing

from sluice.aws.s3 import Bucket
from sluice.db.connection import Database
from sluice.errors import DatabaseUnavailable
from sluice.load.loader import Loader
from sluice.model.resource import Resource
from sluice.proof.comparison import (
    count_lacking_rejected_writes,
    describe_differences,
    describe_obstacle,
    find_examples,
    list_differing_tables,
    read_copied_fingerprints,
)
from sluice.proof.live_state import LiveState, Servers, read_live_state
from sluice.proof.proof_state import Proof, read_tail, write_tail
from sluice.proof.tail_load import load_tail

# How long a search for a differing item may take.
EXAMPLE_SECONDS = 60.0


def migrate_copy(server: Database, schema: str, resources: Mapping[str, Resource], seconds: float) -> None:
    """Bring the tables of the copy to the present resource classes, as every deployment does with the live ones.

    `server` is the admin's connection without a schema. Raises MigrationFailed, and the database errors.
    """
    from sluice.schema.migration import Migration  # noqa: PLC0415  only this step needs its library

    with closing(server.get_connection()) as connection:
        migration = Migration(connection, schema, resources.values(), time.monotonic() + seconds, allow_long=True)
        # The copy keeps the users of the backup: nobody but the admin connects to it. A moment of today would let the
        # copy seem to have everything that was loaded by now.
        migration.run(lambda: (), is_live=False)


def choose_live(databases: tuple[Database, ...]) -> Database:
    """Return the first database that answers. Raises the database error of the last one."""
    for database in databases[:-1]:
        try:
            database.get_live_connection()
        except DatabaseUnavailable:
            continue
        return database
    return databases[-1]


def read_live(proof: Proof, servers: Servers, bucket: Bucket, resources: Mapping[str, Resource]) -> Proof:
    """Read the live state and what the copy lacks of it, or find that they cannot be compared."""
    proof.live, tail = read_live_state(servers, resources)
    if obstacle := describe_obstacle(proof.live):
        proof.outcome, proof.sentences = "not_comparable", [obstacle]
    write_tail(bucket, proof, tail)
    return proof


def load_next_batches(proof: Proof, loader: Loader, bucket: Bucket, seconds: float) -> Proof:
    """Load the next batches of the tail into the copy."""
    return load_tail(proof, read_tail(bucket, proof), loader, bucket.name, seconds)


def compare_next_tables(
    proof: Proof, servers: Servers, bucket: Bucket, resources: Mapping[str, Resource], seconds: float
) -> Proof:
    """Compare the next tables; after the last one, set the outcome."""
    live = _require_live(proof)
    if not read_copied_fingerprints(proof, servers.copy, resources, seconds):
        return proof
    lacking = count_lacking_rejected_writes(servers.copy, read_tail(bucket, proof))
    proof.sentences = describe_differences(proof, live, lacking)
    proof.outcome = "different" if proof.sentences else "proven"
    differing = list_differing_tables(live.fingerprints, proof.copied)
    proof.examples = find_examples(servers, [resources[name] for name in differing], live, EXAMPLE_SECONDS)
    return proof


def _require_live(proof: Proof) -> LiveState:
    if proof.live is None:
        raise RuntimeError("the live state was not read")
    return proof.live
