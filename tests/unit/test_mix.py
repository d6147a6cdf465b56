"""The model and the measurement of the mix of requests (bench/mix)."""

import itertools

import pytest

from local.process import LocalError
from testkit.mix.model import ARRIVAL_SECONDS, CacheModel, Caches, count_shares
from testkit.mix.player import Reading, Recording, Written
from testkit.mix.staleness import count_older_than_asked, measure_ages
from testkit.mix.statements import ReplicaWork, require_statements
from testkit.mix.trace import Mix, Population, Step, generate_trace

POPULATION = Population({f"A{number:03}": "PT" for number in range(200)})
OLD, NEW = "01AAAAAAAAAAAAAAAAAAAAAAAA", "01BBBBBBBBBBBBBBBBBBBBBBBB"


def play(caches: Caches, *steps: Step) -> list[tuple[str, bool] | None]:
    model = CacheModel(caches, POPULATION, function_seconds=0.001)
    return [(answer.layer, answer.from_copy) if answer else None for answer in map(model.play, steps)]


def read(at: float, user: int = 1, item: str = "A001") -> Step:
    return Step(at, user, "item", item)


def test_mix_has_its_shares() -> None:
    steps = list(itertools.islice(generate_trace(Mix(100, 1.0), POPULATION, seed=1), 20_000))
    share = {kind: sum(step.kind == kind for step in steps) / len(steps) for kind in ("item", "list", "own", "write")}
    assert share == pytest.approx({"item": 0.8075, "list": 0.114, "own": 0.0285, "write": 0.05}, abs=0.006)
    assert len(steps) / steps[-1].at == pytest.approx(100, rel=0.03)
    favourite = sum(step.target == POPULATION.items[0] for step in steps if step.kind == "item")
    expected = 1 / sum(1 / rank for rank in range(1, 201))
    assert favourite / share["item"] / len(steps) == pytest.approx(expected, rel=0.05)


def test_api_gateway_answers_what_the_formula_says() -> None:
    """An entry of T seconds that r requests a second ask for answers rT of each rT + 1."""
    seconds, rate = 20, 2.0
    steps = [
        read(step.at, user=2 * number + 1)  # another user each time, who sends no ETag
        for number, step in enumerate(itertools.islice(generate_trace(Mix(rate, 1.0), POPULATION, seed=2), 20_000))
    ]
    model = CacheModel(Caches(api_seconds=seconds), POPULATION, function_seconds=0.001)
    shares = count_shares(answer for answer in map(model.play, steps) if answer)
    assert shares.layers["API Gateway"] == pytest.approx(rate * seconds / (rate * seconds + 1), abs=0.003)


def test_a_write_ends_an_entry_of_valkey_and_not_of_api_gateway() -> None:
    write = Step(1.5, 3, "write", "A001", 1)
    later = 1.5 + ARRIVAL_SECONDS + 0.1
    steps = (read(1), read(1.4), write, read(later - 0.2), read(later), read(later + 0.5))
    layers = [answer and answer[0] for answer in play(Caches(valkey_seconds=600), *steps)]
    assert layers == ["replica", "Valkey", None, "replica", "replica", "Valkey"]
    answers = play(Caches(api_seconds=10), read(1), write, read(later), read(11.1))
    layers = [answer and answer[0] for answer in answers]
    assert layers == ["replica", None, "API Gateway", "replica"]


def test_cloudfront_keeps_a_copy_for_each_user_and_asks_each_time() -> None:
    answers = play(Caches(cloudfront=True), read(1), read(2), read(3, user=5))
    assert answers == [("replica", False), ("replica", True), ("replica", False)]


def reading(version: str, started: float, *, own: int = 0) -> Reading:
    step = Step(started, 1, "own" if own else "item", "A001", own)
    return Reading(step, started, 0.01, 200, "Miss", "id", {"A001": version})


def test_ages_count_from_the_arrival_of_a_later_version() -> None:
    writes = {1: Written("A001", NEW)}
    recording = Recording([reading(OLD, 9.0), reading(OLD, 12.5), reading(NEW, 13.0)], writes)
    assert measure_ages(recording, {1: 10.0}) == [2.5]


def test_own_reads_are_never_older() -> None:
    recording = Recording([reading(OLD, 9.0, own=1), reading(NEW, 9.0, own=1)], {1: Written("A001", NEW)})
    assert count_older_than_asked(recording) == 1


def own(at: float) -> Reading:
    return Reading(Step(at, 1, "own", "A001", 1), at, 0.1, 425, "", "", {})


def plain(at: float) -> Reading:
    return Reading(read(at), at, 0.1, 200, "", "", {})


@pytest.mark.parametrize(
    ("statements", "seconds"),
    [
        (100, 10.0),  # one for each read
        (100 + 8, 10.0),  # each read of a version asked both replicas
        (100 + 8 + 4, 60.0),  # and a heartbeat
        (100 + 8 + 8, 61.0),  # and two of them
        (100 - 1, 10.0),
        (100 + 8 + 4 + 1, 10.0),
    ],
)
def test_the_replicas_have_the_statements_of_reads_and_heartbeats(statements: int, seconds: float) -> None:
    uncached = [*(plain(number) for number in range(92)), *(own(number) for number in range(8))]
    require_statements(uncached, ReplicaWork(statements, 1.0, seconds), replicas=2, tolerance=1)


@pytest.mark.parametrize(
    ("statements", "replicas"),
    [
        (100 - 2, 2),
        (100 + 8 + 4 + 2, 2),
        (100 + 2 + 2, 1),  # with one replica, a read of a version has one statement too
        (3 * 100, 2),  # as it was without a moment
    ],
)
def test_missing_or_further_statements_end_the_measurement(statements: int, replicas: int) -> None:
    uncached = [*(plain(number) for number in range(92)), *(own(number) for number in range(8))]
    with pytest.raises(LocalError, match=rf"^The replicas had {statements} statements, not 100 for as many reads, "):
        require_statements(uncached, ReplicaWork(statements, 1.0, 10.0), replicas, tolerance=1)
