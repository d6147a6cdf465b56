"""When to repeat a call of AWS, and after which pause: as in botocore's standard mode."""

import random

from sluice.errors import AwsConnectionError, AwsError

MAX_BACKOFF_SECONDS = 20.0

_TRANSIENT_STATUSES = {500, 502, 503, 504}
_RETRYABLE_CODES = {
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_RETRY_BUDGET, _RETRY_COST, _REFUND_WITHOUT_RETRY = 500, 5, 1


def is_retryable(error: AwsError) -> bool:
    """Whether the same call may succeed soon."""
    return (
        isinstance(error, AwsConnectionError) or error.status in _TRANSIENT_STATUSES or error.code in _RETRYABLE_CODES
    )


def choose_backoff_seconds(retry: int) -> float:
    """Return the pause before a retry, the first being 1: exponential backoff with full jitter, up to a cap."""
    return min(random.random() * (1 << retry - 1), MAX_BACKOFF_SECONDS)  # noqa: S311  jitter


class RetryBudget:
    """What a client may spend on retries until its calls succeed again: a service that is down gets few of them."""

    def __init__(self) -> None:
        self._remaining = _RETRY_BUDGET

    def acquire(self) -> bool:
        """Pay for a retry. Returns False if the budget is too small."""
        if self._remaining < _RETRY_COST:
            return False
        self._remaining -= _RETRY_COST
        return True

    def release(self, retries: int) -> None:
        """After a success, refund the cost of its last retry, or a little if there was none."""
        refund = _RETRY_COST if retries else _REFUND_WITHOUT_RETRY
        self._remaining = min(_RETRY_BUDGET, self._remaining + refund)
