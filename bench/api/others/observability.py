"""One log line, metrics and traces with Powertools, as its documentation recommends."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer

Event = dict[str, Any]
Handler = Callable[[Event, Any], dict[str, Any]]

logger = Logger()
metrics = Metrics()
log_fields: dict[str, Any] = {}


def add_observability(handle: Handler, *, calls_aws: bool = True) -> Handler:
    """Wrap a handler: trace it, then write its log line and its metrics. Patch botocore only where it is used."""
    tracer = Tracer(patch_modules=("botocore",)) if calls_aws else Tracer(auto_patch=False)

    @tracer.capture_lambda_handler(capture_response=False, capture_error=False)
    def wrapper(event: Event, context: Any) -> dict[str, Any]:
        log_fields.clear()
        logger.append_keys(request_id=context.aws_request_id, function=context.function_name)
        response = handle(event, context)
        logger.info("done", extra={**log_fields, "status": response["statusCode"]})
        if metrics.metric_set:
            metrics.flush_metrics()
        return response

    return wrapper  # type: ignore[no-any-return]
