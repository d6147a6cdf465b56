"""The report of a proof, and the record of the last one."""

import datetime
import json

from sluice.proof.fingerprint import Fingerprint
from sluice.proof.live_state import LiveState, MarkedState
from sluice.proof.proof_record import ProofRecord
from sluice.proof.proof_report import build_proof_report
from sluice.proof.proof_state import BackupSnapshot, CopyInstance, Proof

BEGAN = datetime.datetime(2026, 11, 29, 9, tzinfo=datetime.UTC)
ENDED = BEGAN + datetime.timedelta(minutes=30)
MARKS = MarkedState(moment="", high_water="", rebuild="", exclusions=[])


def create_proof() -> Proof:
    live = LiveState(marks=MARKS, copied_marks=MARKS, batches=7, fingerprints={"codes": Fingerprint(1, 2, "0f")})
    snapshot = BackupSnapshot("rds:nightly", BEGAN - datetime.timedelta(hours=6))
    instance = CopyInstance("copy", "host", 1)
    return Proof(name="p", started_at=BEGAN, snapshot=snapshot, instance=instance, live=live, tail=3, position=3)


def test_a_proven_backup_is_reported_with_what_it_lacked() -> None:
    proof = create_proof()
    proof.outcome = "proven"
    report = build_proof_report("p", proof, None, BEGAN, ENDED)
    assert (report["outcome"], report["seconds"], report["loaded"]) == ("proven", 1800, 3)
    assert report["summary"] == (
        "The backup of 2026-11-29T03:00:00+00:00 is proven: with the 3 batches that it lacks, it equals the live "
        "database in 1 tables and 7 batches."
    )
    json.dumps(report)


def test_each_difference_is_in_the_summary_but_no_item() -> None:
    proof = create_proof()
    proof.outcome, proof.sentences, proof.examples = "different", ["One.", "Two."], {"codes": ("owner-1", "c")}
    report = build_proof_report("p", proof, None, BEGAN, ENDED)
    assert report["summary"] == "The backup differs from the live database. One. Two."
    assert report["examples"] == {"codes": ("owner-1", "c")}


def test_an_error_is_a_failure_whatever_was_compared() -> None:
    cause = json.dumps({"errorMessage": "There is no snapshot of primary yet.", "errorType": "SnapshotNotFound"})
    failure = {"Error": "SnapshotNotFound", "Cause": cause}
    report = build_proof_report("p", None, failure, BEGAN, ENDED)
    assert report["outcome"] == "failed"
    assert report["summary"] == (
        "The proof of the backup failed. SnapshotNotFound: There is no snapshot of primary yet."
    )
    proof = create_proof()
    proof.outcome = "proven"
    report = build_proof_report("p", proof, {"Error": "States.Timeout", "Cause": ""}, BEGAN, ENDED)
    assert (report["outcome"], report["sentences"]) == ("failed", ["States.Timeout."])
    assert build_proof_report("p", create_proof(), None, BEGAN, ENDED)["outcome"] == "failed"


def test_the_age_begins_when_proofs_are_switched_on() -> None:
    record = ProofRecord(since=BEGAN)
    assert record.compute_age(ENDED) == 1800
    record.proven_at = ENDED
    assert record.compute_age(ENDED + datetime.timedelta(days=8)) == 8 * 86_400
