"""The report of a proof: what an operator reads, and what the workflow decides by."""

import datetime
from typing import Any

import msgspec

from sluice.errors import extract_message
from sluice.proof.proof_state import Proof

_HEADLINES = {
    "proven": "The backup is proven",
    "different": "The backup differs from the live database",
    "not_comparable": "The backup could not be compared",
    "failed": "The proof of the backup failed",
}


def build_proof_report(
    name: str, proof: Proof | None, failure: dict[str, str] | None, began: datetime.datetime, now: datetime.datetime
) -> dict[str, Any]:
    """Build the report. `failure` is an error of the workflow. Only `examples` name items of callers."""
    sentences = list(proof.sentences) if proof else []
    outcome = proof.outcome if proof and proof.outcome and not failure else "failed"
    if failure:
        sentences = [*sentences, describe_failure(failure)]
    report: dict[str, Any] = {
        "name": name,
        "outcome": outcome,
        "ended": now.isoformat(timespec="seconds"),
        "seconds": round((now - began).total_seconds()),
        "sentences": sentences,
    }
    if proof:
        report |= {
            "snapshot": proof.snapshot.identifier,
            "snapshot_at": proof.snapshot.created_at.isoformat(timespec="seconds"),
            "instance": proof.instance.identifier,
            "tail": proof.tail,
            "loaded": proof.position - proof.failed,
            "replaced": proof.replaced,
            "tables": msgspec.to_builtins(proof.live.fingerprints) if proof.live else {},
            "batches": proof.live.batches if proof.live else 0,
            "examples": proof.examples,
        }
    report["summary"] = _describe_outcome(report)
    return report


def _describe_outcome(report: dict[str, Any]) -> str:
    parts = [f"{_HEADLINES[report['outcome']]}."]
    if report["outcome"] == "proven":
        text = (
            f"The backup of {report['snapshot_at']} is proven: with the {report['loaded']} batches that it lacks, it "
            f"equals the live database in {len(report['tables'])} tables and {report['batches']} batches."
        )
        parts = [text]
    return " ".join([*parts, *report["sentences"]])


def describe_failure(failure: dict[str, str]) -> str:
    """One sentence for an error as Step Functions describes it."""
    cause = failure.get("Cause", "")
    return f"{failure.get('Error', 'Unknown')}: {extract_message(cause) or cause}".rstrip(": .") + "."
