"""Quotas of AWS that a deployment can reach.

Source: "Amazon Data Firehose Quota" in the Firehose developer guide. Firehose's throughput is not in Service Quotas:
AWS raises it on its Firehose limits form. A stream publishes its own quota as metrics.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from ops.aws import Stack


@dataclass(frozen=True)
class FirehoseQuota:
    """What a stream accepts from PutRecord and PutRecordBatch together, per second."""

    requests: int
    records: int
    mebibytes: int


FIREHOSE_QUOTAS = dict.fromkeys(
    ("us-east-1", "us-west-2", "eu-west-1"), FirehoseQuota(requests=2_000, records=500_000, mebibytes=5)
)
_OTHER_REGIONS = FirehoseQuota(requests=1_000, records=100_000, mebibytes=1)


def default_firehose_quota(region: str) -> FirehoseQuota:
    """The quota of a stream in a Region, as long as AWS has not raised it."""
    return FIREHOSE_QUOTAS.get(region, _OTHER_REGIONS)


def read_firehose_quota(stack: Stack, stream: str) -> FirehoseQuota | None:
    """The quota that the stream published in the last day; None when it published none."""
    names = {
        "requests": "PutRequestsPerSecondLimit", "records": "RecordsPerSecondLimit", "bytes": "BytesPerSecondLimit",
    }  # fmt: skip
    dimensions = [{"Name": "DeliveryStreamName", "Value": stream}]
    queries: list[dict[str, Any]] = [
        {
            "Id": key,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Firehose", "MetricName": name, "Dimensions": dimensions},
                "Period": 3600,
                "Stat": "Minimum",
            },
        }
        for key, name in names.items()
    ]
    now = datetime.datetime.now(datetime.UTC)
    answer = stack.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - datetime.timedelta(days=1), EndTime=now
    )
    latest = {series["Id"]: series["Values"][0] for series in answer["MetricDataResults"] if series["Values"]}
    if len(latest) < len(names):
        return None
    return FirehoseQuota(int(latest["requests"]), int(latest["records"]), int(latest["bytes"]) // 2**20)
