"""Any order, duplication, split, redelivery, interleaving and failure of the same writes gives the same rows."""

import os
from collections.abc import Callable, Iterator
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import FlakyFailure

from local.database import DatabaseServers
from sluice.errors import DatabaseUnavailable
from tests.database import broken
from tests.database.plans import Plan, plans
from tests.database.rig import Rig
from tests.database.shaky import Mishap, ProcessDied
from tests.database.things import put
from tests.database.trial import Trial

# Every run uses the same plans, unless the variable asks for a number of other ones.
EXAMPLES = int(os.environ.get("SLUICE_EXAMPLES") or 0)
EXAMPLES_TO_FIND_A_BREAK = 400


@pytest.fixture
def trial(rig: Rig, servers: DatabaseServers) -> Iterator[Trial]:
    trial = Trial(rig, servers)
    yield trial
    for database in trial.databases:
        database.drop_connection()


def search(trial: Trial, examples: int) -> None:
    """Look for a plan that does not converge. Raises its AssertionError."""

    @settings(
        max_examples=examples,
        phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(plans())
    def look(plan: Plan) -> None:
        trial.converges(plan)

    look()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("examples", [100, pytest.param(350, marks=pytest.mark.slow)])
def test_every_plan_converges(trial: Trial, examples: int) -> None:
    search(trial, EXAMPLES or examples)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_plan_converges_in_parts(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    for part_size in (
        "strict.strict_reader.MAX_PART_BYTES",
        "fast.fast_reader.FIRST_PART_BYTES",
        "fast.fast_reader.MAX_PART_BYTES",
    ):
        monkeypatch.setattr(f"sluice.load.{part_size}", 1)
    monkeypatch.setattr("sluice.load.batch_reader.BLOCK_BYTES", 1000)
    trial.in_parts = True
    search(trial, EXAMPLES or 100)


@pytest.mark.slow
@pytest.mark.parametrize("break_it", broken.WAYS, ids=lambda way: way.__name__)
def test_the_search_finds_a_broken_loader(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    break_it(monkeypatch)
    # A failure that needs both loaders at the same moment does not repeat: Hypothesis calls that flaky.
    with pytest.raises((AssertionError, FlakyFailure)):
        search(trial, EXAMPLES_TO_FIND_A_BREAK)


@pytest.mark.parametrize("mishap", [name for name in get_args(Mishap) if name != "none"])
def test_a_mishap_happens(trial: Trial, mishap: Mishap) -> None:
    """Otherwise the search would prove nothing about it."""
    database = trial.databases[0]
    loader = trial.rig.loader(database)
    key = trial.rig.objects.put("batches/a", [put({"label": "x"})])
    database.mishap = mishap
    if mishap == "slow":
        assert loader.load_batch("bucket", key).status == "loaded"
    else:
        with pytest.raises(ProcessDied if mishap.startswith("dies") else DatabaseUnavailable):
            loader.load_batch("bucket", key)
        committed = mishap == "dies_after_commit"
        assert len(trial.rig.rows("SELECT 1 FROM things")) == committed
        assert loader.load_batch("bucket", key).status == ("already_loaded" if committed else "loaded")
    assert database.mishaps == 1
