"""How many requests came lately, for rules with a limit."""

from collections import OrderedDict, deque

KEYS = 10_000


class Rates:
    """Counts by rule and by what the rule counts for. AWS estimates, and looks every few seconds; here every request is
    counted at once."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def over(self, rule: str, key: str, now: float, *, limit: int, seconds: int) -> bool:
        """Count one more at `now` (in seconds), and say whether there were more than `limit` in the last `seconds`."""
        times = self._seen.setdefault((rule, key), deque())
        self._seen.move_to_end((rule, key))
        while len(self._seen) > KEYS:
            self._seen.popitem(last=False)
        times.append(now)
        while times[0] <= now - seconds:
            times.popleft()
        return len(times) > limit
