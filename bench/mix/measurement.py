"""Play the mix against a stack with some of its caches, and count which layer answered each read."""

import itertools
import json
import statistics
import time
from dataclasses import dataclass
from typing import Any

from bench.mix.preparation import CacheFiller
from bench.mix.switches import CacheSwitches, ReplicaCounter
from local.process import LocalError
from local.stack import Stack
from testkit.mix.model import Answer, CacheModel, Caches, Layer, Shares, count_shares
from testkit.mix.player import Player, Reading
from testkit.mix.staleness import ArrivalWatch, count_older_than_asked, measure_ages
from testkit.mix.statements import ReplicaWork, require_statements
from testkit.mix.trace import Mix, Population, Step, generate_trace

COPIES = 5_000  # what the local edge keeps
FUNCTION_SECONDS = 0.008  # of a read on this machine
ARRIVAL_TIMEOUT_SECONDS = 60
# The read function's time is not part of an entry's time to live, and a moment of arrival is rounded.
TOLERANCE_SECONDS = 0.5
MAX_DIFFERENCE = 0.005  # of the reads, between what was classified and what the replicas counted


@dataclass(frozen=True)
class Durations:
    """Seconds of a run: traffic before it in the model only, then played, then played and counted."""

    before: float
    warm: float
    measured: float


@dataclass(frozen=True)
class Measurement:
    """One configuration under one mix. Times are of the client, in milliseconds."""

    shares: Shares
    modelled: Shares
    statements_per_1000: float
    processor_ms_per_1000: float
    median_ms: float
    p99_ms: float
    oldest_seconds: float
    beyond_bound: int
    older_than_asked: int
    early: int


class MixBenchmark:
    """A stack with the items of the population. Each run has users of its own, since CloudFront forgets nothing."""

    def __init__(self, stack: Stack, population: Population, records: dict[str, dict[str, Any]]) -> None:
        self._stack, self._population, self._records = stack, population, records
        self._switches, self._counter, self._filler = CacheSwitches(stack), ReplicaCounter(stack), CacheFiller(stack)
        self._editor = stack.person_token("editor", ("editors",))
        self._runs = 0

    def measure(self, caches: Caches, mix: Mix, durations: Durations) -> Measurement:
        """Run one configuration. Raises LocalError when a request fails."""
        self._runs += 1
        self._switches.set_caches(
            cloudfront=caches.cloudfront, api=bool(caches.api_seconds), valkey=bool(caches.valkey_seconds)
        )
        self._write_once()  # with the read cache, the first load starts its epoch
        tokens = [self._stack.person_token(f"reader-{self._runs}-{number}") for number in range(mix.users)]
        trace = generate_trace(mix, self._population, seed=1000 + self._runs)
        steps = list(itertools.takewhile(lambda step: step.at < durations.warm + durations.measured, trace))
        left = self._model_earlier_traffic(caches, mix, durations.before)
        self._filler.fill(left)

        player = Player(self._stack.api_url, tokens, self._editor, self._records)
        watch = ArrivalWatch(self._stack, player.recording.writes)
        watch.start()
        work = self._play(player, steps, durations.warm)
        self._wait_for_arrival(watch)

        readings = [reading for reading in player.recording.readings if reading.step.at >= durations.warm]
        lines = self._read_function_lines()
        answers = [classify(reading, lines) for reading in readings]
        uncached = [reading for reading, answer in zip(readings, answers, strict=True) if answer.layer == "replica"]
        replicas = len(self._stack.servers.replicas)
        require_statements(uncached, work, replicas, tolerance=MAX_DIFFERENCE * len(readings))
        ages = measure_ages(player.recording, watch.seen)
        times = [1000 * reading.seconds for reading in readings]
        model = CacheModel(caches, self._population, function_seconds=FUNCTION_SECONDS, copies=COPIES)
        model.valkey.update(left)
        return Measurement(
            shares=count_shares(answers),
            modelled=model_shares(model, steps, durations.warm),
            statements_per_1000=1000 * work.statements / len(readings),
            processor_ms_per_1000=1000 * 1000 * work.processor_seconds / len(readings),
            median_ms=statistics.median(times),
            p99_ms=statistics.quantiles(times, n=100)[98],
            oldest_seconds=max(ages, default=0.0),
            beyond_bound=sum(age > caches.api_seconds + TOLERANCE_SECONDS for age in ages),
            older_than_asked=count_older_than_asked(player.recording),
            early=sum(reading.status == 425 for reading in readings),
        )

    def _model_earlier_traffic(self, caches: Caches, mix: Mix, seconds: float) -> dict[str, float]:
        """The seconds that are left of each entry of the read cache after so much traffic of the same kind."""
        model = CacheModel(caches, self._population, function_seconds=FUNCTION_SECONDS)
        for step in generate_trace(mix, self._population, seed=self._runs):
            if step.at >= seconds:
                break
            model.play(step)
        return {item: expires_at - seconds for item, expires_at in model.valkey.items()}

    def _play(self, player: Player, steps: list[Step], warm_seconds: float) -> ReplicaWork:
        """Play the steps; returns what the replica did after the warm-up."""
        warm = [step for step in steps if step.at < warm_seconds]
        start = time.monotonic()
        player.play(warm, start)
        before = self._counter.read()
        player.play(steps[len(warm) :], start)
        return self._counter.read() - before

    def _write_once(self) -> None:
        player = Player(self._stack.api_url, [], self._editor, self._records)
        watch = ArrivalWatch(self._stack, player.recording.writes)
        watch.start()
        player.play([Step(0.0, 0, "write", self._population.items[-1], 1)], time.monotonic())
        self._wait_for_arrival(watch)

    @staticmethod
    def _wait_for_arrival(watch: ArrivalWatch) -> None:
        deadline = time.monotonic() + ARRIVAL_TIMEOUT_SECONDS
        while watch.count_missing():
            if time.monotonic() > deadline:
                raise LocalError(f"After {ARRIVAL_TIMEOUT_SECONDS} s the replica lacks {watch.count_missing()} writes.")
            time.sleep(0.1)
        watch.stop()

    def _read_function_lines(self) -> dict[str, dict[str, Any]]:
        """The read function's line of each request that reached it, by request id.

        They are from the file beside the log group: the emulator's log streams keep their newest events only.
        """
        log = self._stack.folder.emulator / "logs" / f"{self._stack.outputs['GetFunctionName']}.log"
        lines = [json.loads(line) for line in log.read_text().splitlines() if '"get done"' in line]
        return {line["request_id"]: line for line in lines}


def classify(reading: Reading, lines: dict[str, dict[str, Any]]) -> Answer:
    """The layer that answered. A request without a line of the function was answered before it. Raises LocalError."""
    if reading.status not in {200, 304, 425}:
        raise LocalError(f"A read of {reading.step.target} was answered with {reading.status}.")
    from_copy = reading.x_cache in {"Hit", "RefreshHit"}
    line = lines.get(reading.request_id)
    layer: Layer
    if reading.x_cache == "Hit":
        layer = "CloudFront"
    elif line is None:
        layer = "API Gateway"
    else:
        layer = "Valkey" if line.get("cache") == "hit" else "replica"
    return Answer(layer, from_copy)


def model_shares(model: CacheModel, steps: list[Step], warm_seconds: float) -> Shares:
    """The shares by the model of the reads after the warm-up."""
    answers = [(step, model.play(step)) for step in steps]
    return count_shares(answer for step, answer in answers if answer and step.at >= warm_seconds)
