"""Count the calls of AWS that the console makes, and what they cost."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from ops.console.messages import Calls
from ops.cost.prices import read_prices
from ops.cost.traffic import HEALTH_CHECK_GIGABYTE_SECONDS

# The rate is that of this time, and at least of a minute: the first calls after the start are more than usual.
WINDOW_SECONDS = 3600.0
MIN_SECONDS = 60.0

# The names in ops/cost/prices.json of what some operations cost. Calls of CloudFormation and of Step Functions
# that read are free.
_COST_NAMES = {
    "ListObjectsV2": "put object",  # AWS charges a listing as a put
    "GetObject": "get object",
    "HeadObject": "get object",
    "GetQueueAttributes": "queue request",
    "DescribeAlarms": "metric query",
}


class CallMeter:
    """Counts the calls of a stack's clients."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started_at = clock()
        self._calls: deque[tuple[float, float]] = deque()  # when, dollars
        self._costs = _read_costs()
        self.operations: Counter[str] = Counter()
        self.dollars = 0.0  # since the start

    def count(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Count one call; botocore's event `provide-client-params` gives it. A page of a listing is a call."""
        with self._lock:
            self.operations[f"{model.service_model.service_name}:{model.name}"] += 1
            dollars = self._estimate_dollars(model.name, params)
            self.dollars += dollars
            self._calls.append((self._clock(), dollars))

    def _estimate_dollars(self, operation: str, params: dict[str, Any]) -> float:
        if operation == "GetMetricData":
            # Each metric is a query; those that compute from others are not billed.
            metrics = sum("MetricStat" in query for query in params["MetricDataQueries"])
            return self._costs["metric query"] * metrics
        if operation == "Invoke":
            # As if each function took as long as the health check.
            return self._costs["lambda request"] + self._costs["lambda arm64"] * HEALTH_CHECK_GIGABYTE_SECONDS
        return self._costs.get(_COST_NAMES.get(operation, ""), 0.0)

    def summarize(self) -> Calls:
        """The calls since the start, and those of the latest hour per hour."""
        with self._lock:
            now = self._clock()
            while self._calls and self._calls[0][0] < now - WINDOW_SECONDS:
                self._calls.popleft()
            seconds = max(MIN_SECONDS, min(WINDOW_SECONDS, now - self._started_at))
            return Calls(
                total=self.operations.total(),
                per_hour=round(len(self._calls) * 3600 / seconds, 1),
                dollars_per_hour=round(sum(cost for _, cost in self._calls) * 3600 / seconds, 6),
            )


def _read_costs() -> dict[str, float]:
    table = read_prices({})
    return {name: table.get(name) for name in ("lambda request", "lambda arm64", *_COST_NAMES.values())}
