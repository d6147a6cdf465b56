"""Write and read as a client does, through the public address, and emit what the service levels rest on.

EventBridge invokes it every minute with `{}`. With `{"wait": false}` it does not wait until the write can be read. It
returns the counts of the run.
"""

import dataclasses
import time
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from sluice.aws.secrets import read_secret
from sluice.canary.caller import ClientCredentials, ServiceCaller
from sluice.canary.run import Canary, CanaryRun
from sluice.observability import Event, add_log_fields, add_metric, emit_metrics, instrument_handler
from sluice.settings import CanarySettings, ClientKeySettings, has_client_key, read_settings

_settings = read_settings(CanarySettings)


@cache
def _get_canary() -> Canary:
    """Return the canary of the process. Its secrets are read at the first run. Raises AwsError."""
    credentials = msgspec.json.decode(read_secret(_settings.client_secret_arn), type=ClientCredentials)
    key = read_secret(read_settings(ClientKeySettings).client_key_secret_arn) if has_client_key() else ""
    caller = ServiceCaller(_settings.service_url, _settings.token_url, credentials, key)
    limit_seconds = _settings.buffer_seconds + _settings.transform_buffer_seconds + _settings.readable_seconds
    return Canary(caller, limit_seconds)


@instrument_handler
def handle(event: Event, context: Any) -> dict[str, Any]:
    """Write, emit the result at once, then wait until the write can be read. Raises AwsError, AccessTokenRefused."""
    started = time.monotonic()
    canary = _get_canary()
    written, version = canary.write(context.aws_request_id)
    _add_metrics(written)
    emit_metrics()
    read = canary.read(version if event.get("wait", True) else "")
    _add_metrics(read)
    run = _join(written, read)
    add_log_fields(**run, version=version, seconds=round(time.monotonic() - started, 1))
    return run


def _add_metrics(run: CanaryRun) -> None:
    """Add the counts of what the run tried; zeros are values too, so that a share can be computed."""
    if run.writes:
        add_metric("CanaryWrites", run.writes)
        add_metric("CanaryWritesFailed", run.writes_failed)
    if run.reads:
        add_metric("CanaryReads", run.reads)
        add_metric("CanaryReadsFailed", run.reads_failed)
    if run.waits:
        add_metric("CanaryWaits", run.waits)
        add_metric("CanaryWaitsFailed", run.waits_failed)
    if run.readable_seconds is not None:
        add_metric("CanaryReadableSeconds", run.readable_seconds, MetricUnit.Seconds)


def _join(written: CanaryRun, read: CanaryRun) -> dict[str, Any]:
    counts = dataclasses.asdict(read)
    return {
        **counts,
        "writes": written.writes,
        "writes_failed": written.writes_failed,
        "faults": written.faults + read.faults,
    }
