"""Gap: API Gateway counts nothing. Here a request to a stage is counted with the metrics of AWS/ApiGateway.

Names, units and dimensions: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
As there, the metrics per method exist only with detailed metrics, which are not collected here.
"""

import contextvars
import time
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.cloudwatch import metric_store

# The measures of the request that is handled: values by the name of their metric.
_measures: contextvars.ContextVar[dict[str, float]] = contextvars.ContextVar("measures")


def begin() -> dict[str, float]:
    """Return the measures of the request of this context, to which `note` adds."""
    measures: dict[str, float] = {}
    _measures.set(measures)
    return measures


def note(name: str, value: float) -> None:
    measures = _measures.get(None)
    if measures is not None:
        measures[name] = value


def record(request: dict[str, Any], status: int, measures: dict[str, float]) -> None:
    """Count a request that ended with a status. One to a stage that does not exist belongs to nobody."""
    if request["stage"] is None:
        return
    values = [
        ("Count", 1.0, "Count"),
        ("4XXError", float(400 <= status < 500), "Count"),
        ("5XXError", float(status >= 500), "Count"),
        ("Latency", (time.time() - request["started"]) * 1000, "Milliseconds"),
        *((name, value, "Milliseconds" if name.endswith("Latency") else "Count") for name, value in measures.items()),
    ]
    api = {"ApiName": str((apigateway_v1._rest_apis.get(request["api_id"]) or {}).get("name", ""))}
    for dimensions in (api, {**api, "Stage": request["stage_name"]}):
        metric_store.record_values("AWS/ApiGateway", dimensions, values)
