"""When a call is made again, and after which pause: as botocore's standard mode has it."""

import random

from sluice.errors import AwsConnectionError, AwsError

MAX_BACKOFF_SECONDS = 20.0  # seconds


_TRANSIENT = {500, 502, 503, 504}


_AGAIN = {
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


# What a client may spend on retries until its calls succeed again: not all may try again while a service is down.
_PURSE, _COST, _GIVEN_BACK = 500, 5, 1


def is_retryable(error: AwsError) -> bool:
    """Whether the same call may succeed soon."""
    return isinstance(error, AwsConnectionError) or error.status in _TRANSIENT or error.code in _AGAIN


def backoff_seconds(attempt: int) -> float:
    """Seconds before an attempt, the second being 1: growing up to a cap, at random so that not all come at once."""
    return min(random.random() * (1 << attempt - 1), MAX_BACKOFF_SECONDS)  # noqa: S311  jitter


class RetryBudget:
    """What is left for retries."""

    def __init__(self) -> None:
        self._left = _PURSE

    def acquire(self) -> bool:
        """Pay for a retry, if there is enough."""
        if self._left < _COST:
            return False
        self._left -= _COST
        return True

    def release(self, retries: int) -> None:
        """Take back what the last retry cost, or a little when there was none."""
        self._left = min(_PURSE, self._left + (_COST if retries else _GIVEN_BACK))
