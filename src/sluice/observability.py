"""One structured line, one set of metrics and one trace per invocation.

A line says what happened to which write or batch; it never has an item's data. An unexpected error is known by its
class and place only, here and to Lambda, because its message may quote data.
"""

import functools
import traceback
from collections.abc import Callable
from typing import Any, TypeVar, cast

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from sluice.aws import tracing
from sluice.errors import AwsError

Event = dict[str, Any]
Result = TypeVar("Result")

logger = Logger()
metrics = Metrics()

_log_fields: dict[str, Any] = {}


def add_log_fields(**fields: Any) -> None:
    """Add fields to the invocation's line."""
    _log_fields.update(fields)


def add_metric(name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
    """Add to a metric of the namespace."""
    metrics.add_metric(name=name, unit=unit, value=value)


def instrument_handler(handle: Callable[[Event, Any], Result]) -> Callable[[Event, Any], Result]:
    """Wrap a handler: trace it, then write its line and its metrics, also when it raises."""

    name = handle.__module__.rsplit(".", 1)[-1]

    cold = True

    @functools.wraps(handle)
    def wrapper(event: Event, context: Any) -> Result:
        nonlocal cold
        tracing.discard_open_subsegments()
        with tracing.create_subsegment(f"## {name}") as segment:
            segment.annotate(ColdStart=cold, Service=logger.service)
            cold = False
            return logged(event, context)

    def logged(event: Event, context: Any) -> Result:
        _log_fields.clear()
        logger.append_keys(
            request_id=getattr(context, "aws_request_id", None), function=getattr(context, "function_name", None)
        )
        try:
            answer = handle(event, context)
        except Exception as error:
            # Not `exception`: it would log the message, which may quote data.
            logger.error(f"{name} failed", extra={**describe_error(error), **_log_fields})  # noqa: TRY400
            if not type(error).__module__.startswith("sluice."):
                error.args = ("its message is withheld; see the line of this invocation for the place",)
            raise
        else:
            write = logger.error if "error" in _log_fields else logger.info
            write(f"{name} done", extra=dict(_log_fields))
            return answer
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return cast("Callable[[Event, Any], Result]", wrapper)


def describe_error(error: BaseException) -> dict[str, str]:
    """Name an error by class and place, one of AWS or of the database by its code too, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    found = {"error": type(error).__name__, "place": place}
    answer = getattr(error, "response", None)
    if isinstance(error, AwsError):
        found["code"] = error.code
    elif isinstance(answer, dict) and "Error" in answer:
        found["code"] = str(answer["Error"].get("Code", "Unknown"))
    elif type(error).__module__.startswith("pymysql") and error.args and isinstance(error.args[0], int):
        found["code"] = str(error.args[0])  # without its driver, which not every function has
    return found
