"""Alarms on the way of a write from the API to its batch: API, stream, archive."""

from tools.monitoring import metrics, runbooks
from tools.monitoring.model import Alarm, Expression

# Longer than the longest setting of both buffers. Firehose keeps undelivered records for 24 hours.
_MAX_FRESHNESS_SECONDS = 1860
# How much of a quota of the stream may be in use.
QUOTA_PERCENT = 80

_API = (
    Alarm(
        name="ServerErrorsAlarm",
        says="More than 5% of the requests have failed with 5xx for 3 minutes. Writes among them were not accepted.",
        runbook=runbooks.REQUESTS_FAIL,
        watches=metrics.SERVER_ERRORS.of("Api", "Average"),
        threshold=0.05,
        periods=3,
        reports_end=True,
    ),
    # API Gateway's own latency would need metrics of each method of each collection, which cost more with each
    # collection, and would contain what its cache answers.
    Alarm(
        name="WriteLatencyAlarm",
        says=(
            "More than 10% of the POST requests have taken over 2.5 seconds for 5 minutes. It is Firehose, or cold "
            "starts; the traces show which."
        ),
        runbook=runbooks.REQUESTS_SLOW,
        watches=metrics.FUNCTION_DURATION.of("PostFunction", "p90"),
        threshold=2500,
        periods=5,
        reports_end=True,
    ),
)

_STREAM = (
    Alarm(
        name="TransformAlarm",
        says=(
            "Invocations of the transform function by Firehose fail. After three retries their writes go to "
            "errors/processing-failed."
        ),
        runbook=runbooks.FIREHOSE_ERRORS,
        watches=metrics.TRANSFORM_SUCCESS.of("WriteStream", "Average"),
        comparison="below",
        threshold=1,
        periods=3,
        reports_end=True,
    ),
    Alarm(
        name="RecordsFailedAlarm",
        says=(
            "The transform function received records that are not writes. They are under errors/processing-failed and "
            "in the archive; single invalid lines are only in the archive."
        ),
        runbook=runbooks.FIREHOSE_ERRORS,
        watches=metrics.RECORDS_FAILED.of_stack("Sum"),
    ),
    Alarm(
        name="FreshnessAlarm",
        says=(
            "A write has waited in Firehose for more than 31 minutes. Firehose drops undelivered records after 24 "
            "hours."
        ),
        runbook=runbooks.FIREHOSE_ERRORS,
        watches=metrics.DELIVERY_FRESHNESS.of("WriteStream", "Maximum"),
        threshold=_MAX_FRESHNESS_SECONDS,
        periods=3,
        reports_end=True,
    ),
    Alarm(
        name="ArchiveFreshnessAlarm",
        says=(
            "A source record has waited for the archive for more than 31 minutes. Firehose drops undelivered records "
            "after 24 hours; a rebuild would lack them. The log of the stream names the error, most likely of the "
            "bucket or of StreamRole."
        ),
        runbook=runbooks.ARCHIVE_LAGS,
        watches=metrics.ARCHIVE_FRESHNESS.of("WriteStream", "Maximum"),
        threshold=_MAX_FRESHNESS_SECONDS,
        periods=3,
        reports_end=True,
    ),
    Alarm(
        name="ArchiveFailedAlarm",
        says=(
            "Firehose fails to write to the archive. It retries for 24 hours, then it drops the records, and a rebuild "
            "would lack them. The log of the stream names the error, most likely of the bucket or of StreamRole."
        ),
        runbook=runbooks.ARCHIVE_LAGS,
        # Firehose writes to the archive at most every BackupBufferSeconds, so a minute may have no value.
        watches=metrics.ARCHIVE_SUCCESS.of("WriteStream", "Average", 900),
        comparison="below",
        threshold=1,
        reports_end=True,
    ),
    Alarm(
        name="ThrottledRecordsAlarm",
        says=(
            "Firehose refused records above its quota, and clients got 503 for them. Lower ThrottleRate or request a "
            "higher quota for the stream."
        ),
        runbook=runbooks.STREAM_QUOTA_REACHED,
        watches=metrics.RECORDS_THROTTLED.of("WriteStream", "Sum"),
        reports_end=True,
    ),
    *(
        Alarm(
            name=f"{quota}QuotaAlarm",
            says=(
                f"Writes have used more than {QUOTA_PERCENT}% of the stream's quota of {quota} per second for 10 "
                "minutes. Above it, clients get 503. Request a higher quota before traffic grows further."
            ),
            runbook=runbooks.STREAM_QUOTA_REACHED,
            watches=Expression(
                "incoming / 300 / limit",
                {
                    "incoming": incoming.of("WriteStream", "Sum", 300),
                    "limit": limit.of("WriteStream", "Minimum", 300),
                },
                result="used",
            ),
            threshold=QUOTA_PERCENT / 100,
            periods=2,
            reports_end=True,
        )
        for quota, (incoming, limit) in metrics.STREAM_QUOTAS.items()
    ),
)

ALARMS = (*_API, *_STREAM)
