"""The texts of the alert at the end of a rebuild."""

import json
from typing import Any

import pytest

from sluice.rebuild.rebuild_report import describe_failure, describe_outcome

OUTPUT: dict[str, Any] = {
    "tables": {"codes": {"rows": 2}, "birds": {"rows": 1}},
    "loaded": 9, "applied": 50, "stale": 5, "rejected": 3, "failed": 1, "quarantined": 4, "remaining": 2,
    "retained": ["sluice_until_20261125T104720"], "excluded": [], "exclusions_stored": True,
}  # fmt: skip


def test_it_reports_the_new_and_the_retained_tables() -> None:
    assert describe_outcome(OUTPUT) == (
        "The new tables are in use: birds 1 rows, codes 2 rows. "
        "9 batches are loaded, 50 writes applied, 5 stale, 3 rejected; 1 batches could not be loaded, 4 are in "
        "quarantine, and 2 remain. The old tables are retained: sluice_until_20261125T104720."
    )


def test_it_reports_the_exclusions_and_whether_they_are_stored() -> None:
    assert describe_outcome({**OUTPUT, "excluded": ["r1", "r2"]}).endswith("These exclusions apply: r1, r2.")
    assert "could not be stored in S3" in describe_outcome({**OUTPUT, "excluded": ["r1"], "exclusions_stored": False})


@pytest.mark.parametrize(
    ("error", "cause", "text"),
    [
        ("RebuildRefused", json.dumps({"errorMessage": "There is a trigger."}), "RebuildRefused: There is a trigger"),
        ("KeyError", json.dumps({"errorMessage": "'somebody's data'"}), "KeyError"),
        ("MigrationFailed", "no JSON", "MigrationFailed"),
        ("States.Timeout", "", "States.Timeout"),
    ],
)
def test_only_our_own_sentences_are_quoted(error: str, cause: str, text: str) -> None:
    assert describe_failure({"Error": error, "Cause": cause}) == text
