"""What is told of a rebuild at its end."""

import json
from typing import Any

import pytest

from sluice.rebuild.rebuild_report import describe_failure, describe_outcome

OUTPUT: dict[str, Any] = {
    "tables": {"codes": {"rows": 2}, "birds": {"rows": 1}},
    "loaded": 9, "applied": 50, "stale": 5, "rejected": 3, "failed": 1, "quarantined": 4, "remaining": 2,
    "retained": ["sluice_until_20261125T104720"], "excluded": [], "exclusions_stored": True,
}  # fmt: skip


def test_it_says_what_was_made_and_what_was_kept() -> None:
    assert describe_outcome(OUTPUT) == (
        "The tables were made anew and are in use: birds 1 rows, codes 2 rows. "
        "9 batches are loaded, 50 writes applied, 5 stale, 3 rejected; 1 could not be loaded, 4 are in quarantine, and "
        "2 remain. The old tables are kept: sluice_until_20261125T104720."
    )


def test_it_says_what_was_left_out_and_whether_that_will_last() -> None:
    assert describe_outcome({**OUTPUT, "excluded": ["r1", "r2"]}).endswith("Left out is what these exclude: r1, r2.")
    assert "could not be written down in S3" in describe_outcome(
        {**OUTPUT, "excluded": ["r1"], "exclusions_stored": False}
    )


@pytest.mark.parametrize(
    ("error", "cause", "told"),
    [
        ("RebuildRefused", json.dumps({"errorMessage": "There is a trigger."}), "RebuildRefused: There is a trigger"),
        ("KeyError", json.dumps({"errorMessage": "'somebody's data'"}), "KeyError"),
        ("MigrationFailed", "no JSON", "MigrationFailed"),
        ("States.Timeout", "", "States.Timeout"),
    ],
)
def test_the_cause_is_told_where_the_words_are_our_own(error: str, cause: str, told: str) -> None:
    assert describe_failure({"Error": error, "Cause": cause}) == told
