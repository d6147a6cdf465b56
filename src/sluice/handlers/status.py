"""GET /v1/status: whether writes are accepted, and how far reads are behind, for everyone."""

from sluice.aws.client import create_client
from sluice.aws.s3 import S3Client
from sluice.http.api_gateway import create_api_handler
from sluice.ingest.firehose import FIREHOSE_SERVICE, FirehoseStream
from sluice.model.record import PROBE_RECORD
from sluice.recovery.heartbeat import READS_STATE_KEY
from sluice.recovery.service_status import StatusResponder
from sluice.settings import StatusSettings, read_settings

# How long a probe may take, with all its attempts: less than a write, because who asks for a status wants it soon.
PROBE_SECONDS = 5.0

_settings = read_settings(StatusSettings)
_stream = FirehoseStream(_settings.stream_name, create_client(FIREHOSE_SERVICE))
_bucket = S3Client().bucket(_settings.batch_bucket)


def _probe_stream() -> None:
    _stream.put_record(PROBE_RECORD, PROBE_SECONDS)


def _read_heartbeat() -> bytes | None:
    stored = _bucket.find_object(READS_STATE_KEY)
    return stored.content if stored else None


responder = StatusResponder(_probe_stream, _read_heartbeat)
handle = create_api_handler("status", responder.respond)
