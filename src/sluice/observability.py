"""One structured log line, one set of metrics and one trace for each invocation. A load adds lines of request ids.

A log line says what happened to which write or batch. It never contains an item's data. An unexpected error is logged,
and passed on to Lambda, by its class and place only: its message may quote data.
"""

import functools
import logging
import os
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

from sluice.aws import tracing
from sluice.errors import AwsError

Event = dict[str, Any]
Result = TypeVar("Result")

# Lambda takes a line for INFO unless its timestamp is in the form of RFC 3339.
logger = Logger(datefmt="%Y-%m-%dT%H:%M:%S.%FZ", utc=True)
# Powertools prefers the level below which Lambda drops lines. That is always INFO: see ADR-0109.
logging.getLogger(logger.name).setLevel(os.environ.get("LOG_LEVEL") or logging.INFO)

# Each metric has one dimension set, `service` and `stack`, because CloudWatch bills each set as a metric of its own.
metrics = Metrics()
metrics.set_default_dimensions(stack=os.environ.get("STACK_NAME") or "none")

# CloudWatch takes lines of up to 256 KB. An id has 36 characters, 64 at most.
MAX_IDS_PER_LINE = 1000

_log_fields: dict[str, Any] = {}


def read_request_id(event: Event) -> str:
    """Return API Gateway's id of a request, which the client has as `x-amzn-RequestId`, or "" for another event."""
    return str((event.get("requestContext") or {}).get("requestId") or "")


def add_log_fields(**fields: Any) -> None:
    """Add fields to the log line of the invocation."""
    _log_fields.update(fields)


def log_request_ids(message: str, request_ids: Iterable[str]) -> None:
    """Log which requests a thing happened to, in as many lines as their ids need."""
    ids = list(request_ids)
    for start in range(0, len(ids), MAX_IDS_PER_LINE):
        # One text: JSON encodes it in two thirds of the time of a list.
        logger.info(message, extra={"request_ids": " ".join(ids[start : start + MAX_IDS_PER_LINE])})


def add_metric(name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
    """Add a value to a metric of the namespace."""
    metrics.add_metric(name=name, unit=unit, value=value)


def emit_metric_of(name: str, **dimensions: str) -> None:
    """Emit a count of 1 at once, in a dimension set of its own: `service`, `stack` and these."""
    default = {"service": logger.service, "stack": os.environ.get("STACK_NAME") or "none"}
    with single_metric(name=name, unit=MetricUnit.Count, value=1, default_dimensions={**default, **dimensions}):
        pass


def emit_metrics() -> None:
    """Emit the metrics so far, for a handler that goes on for minutes."""
    if metrics.metric_set:
        metrics.flush_metrics()


def instrument_handler(handle: Callable[[Event, Any], Result]) -> Callable[[Event, Any], Result]:
    """Wrap a handler: trace it, then write its log line and its metrics, also if it raises."""

    name = handle.__module__.rsplit(".", 1)[-1]
    is_cold_start = True

    @functools.wraps(handle)
    def trace_invocation(event: Event, context: Any) -> Result:
        nonlocal is_cold_start
        with tracing.create_invocation_subsegment(f"## {name}") as segment:
            segment.annotate(ColdStart=is_cold_start, Service=logger.service)
            if request_id := read_request_id(event):
                segment.annotate(request_id=request_id)
            is_cold_start = False
            return log_invocation(event, context)

    def log_invocation(event: Event, context: Any) -> Result:
        _log_fields.clear()
        logger.append_keys(
            lambda_request_id=getattr(context, "aws_request_id", None), function=getattr(context, "function_name", None)
        )
        try:
            result = handle(event, context)
        except Exception as error:
            # Not `logger.exception`: it would log the message.
            logger.error(f"{name} failed", extra={**describe_error(error), **_log_fields})  # noqa: TRY400
            if not type(error).__module__.startswith("sluice."):
                error.args = ("its message is withheld; see the line of this invocation for the place",)
            raise
        else:
            write_line = logger.error if "error" in _log_fields else logger.info
            write_line(f"{name} done", extra=dict(_log_fields))
            return result
        finally:
            emit_metrics()

    return cast("Callable[[Event, Any], Result]", trace_invocation)


def describe_error(error: BaseException) -> dict[str, str]:
    """Return an error's class and place, and the code of one of AWS or of the database. The message is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    fields = {"error": type(error).__name__, "place": place}
    response = getattr(error, "response", None)
    if isinstance(error, AwsError):
        fields["code"] = error.code
    elif isinstance(response, dict) and "Error" in response:
        fields["code"] = str(response["Error"].get("Code", "Unknown"))
    # By the module's name: not every function has the driver.
    elif type(error).__module__.startswith("pymysql") and error.args and isinstance(error.args[0], int):
        fields["code"] = str(error.args[0])
    return fields
