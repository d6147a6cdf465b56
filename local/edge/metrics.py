"""What CloudFront and the web ACLs count, sent to the emulator's CloudWatch every few seconds.

Names, units and dimensions:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html (CacheHitRate is
one of the additional metrics; POST, PUT and errors are not cacheable there) and
https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html (a distribution's ACL has no dimension Region).
Requests that a rule only counts are not counted here.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.edge.http_messages import Response
from local.edge.log import log_event
from local.edge.waf.web_acl import WebAcl

SEND_INTERVAL_SECONDS = 5.0
# Limits of PutMetricData: values of a datum, and data of a request.
MAX_VALUES, MAX_DATA = 150, 1000

Dimensions = tuple[tuple[str, str], ...]
# Namespace, name, unit, dimensions, second.
Key = tuple[str, str, str, Dimensions, int]


class EdgeMetrics:
    """Counts what happened, by second and value, until it is sent."""

    def __init__(self, clients: Callable[[str], Any], region: str) -> None:
        self._clients, self._region = clients, region
        self._lock = threading.Lock()
        self._values: dict[Key, Counter[float]] = {}

    def count_response(self, distribution_id: str, method: str, request_bytes: int, response: Response) -> None:
        """Count a response of the distribution to a viewer."""
        dimensions = (("DistributionId", distribution_id), ("Region", "Global"))
        is_error = response.status >= 400
        values = [
            ("Requests", "None", 1.0),
            ("BytesDownloaded", "None", float(len(response.body))),
            ("BytesUploaded", "None", float(request_bytes if method in {"POST", "PUT"} else 0)),
            ("4xxErrorRate", "Percent", 100.0 * (400 <= response.status < 500)),
            ("5xxErrorRate", "Percent", 100.0 * (response.status >= 500)),
            ("TotalErrorRate", "Percent", 100.0 * is_error),
        ]
        if method in {"GET", "HEAD", "OPTIONS"} and not is_error:
            is_hit = (response.get_header("x-cache") or "").startswith(("Hit", "RefreshHit"))
            values.append(("CacheHitRate", "Percent", 100.0 * is_hit))
        second = int(time.time())
        for name, unit, value in values:
            self._add(("AWS/CloudFront", name, unit, dimensions, second), value)

    def count_decisions(self, acl: WebAcl | None) -> None:
        """Count what a web ACL has decided since the last call."""
        if acl is None:
            return
        region = () if acl.is_global else (("Region", self._region),)
        for (rule, is_blocked, second), number in acl.take_decisions().items():
            name = "BlockedRequests" if is_blocked else "AllowedRequests"
            for metric in (rule, "ALL"):
                dimensions = (*region, ("Rule", metric), ("WebACL", acl.metric_name))
                self._add(("AWS/WAFV2", name, "Count", dimensions, second), 1.0, number)

    def _add(self, key: Key, value: float, number: int = 1) -> None:
        with self._lock:
            self._values.setdefault(key, Counter())[value] += number

    def send(self) -> None:
        """Send all that was counted. What the emulator does not take is sent with the next call."""
        with self._lock:
            values, self._values = self._values, {}
        for namespace in {key[0] for key in values}:
            own = {key: counter for key, counter in values.items() if key[0] == namespace}
            try:
                for data in batched(_build_data(own), MAX_DATA, strict=False):
                    self._clients("cloudwatch").put_metric_data(Namespace=namespace, MetricData=list(data))
            except (BotoCoreError, ClientError) as error:
                log_event("unsent", problem=repr(error))
                with self._lock:
                    for key, counter in own.items():
                        self._values.setdefault(key, Counter()).update(counter)


def _build_data(values: dict[Key, Counter[float]]) -> Iterator[dict[str, Any]]:
    for (_, name, unit, dimensions, second), counter in values.items():
        for part in batched(counter.items(), MAX_VALUES, strict=False):
            yield {
                "MetricName": name,
                "Unit": unit,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
                "Timestamp": second,
                "Values": [value for value, _ in part],
                "Counts": [float(number) for _, number in part],
            }
