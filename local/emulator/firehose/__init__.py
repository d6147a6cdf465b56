"""The Firehose of the local stack, in place of MiniStack's, which writes one object per record.

It covers streams with direct put and an S3 destination (ExtendedS3 or S3), without format conversion and without
dynamic partitioning: limits of a put, buffering by size and time, GZIP, keys, a transform Lambda with retries, the
error prefix, the source-record backup. An accepted record is spooled in `<state of the services>/firehose/` until it
is delivered, and delivered at least once.

Faults are forced with the file `<state of the services>/firehose/faults.json`, read again when it was changed:

    {"<stream, or * for all>": {"fail_puts": 3, "fail_share": 0.5}}

`fail_puts` is the number of put requests that are touched from then on (-1, the default: all until the file is
changed or removed; an SDK's own retries count). Without `fail_share` a touched request fails as a whole with
ServiceUnavailableException (503). With it, that share of the entries of a touched PutRecordBatch fails, every second
one for 0.5, and a touched PutRecord fails in that share of cases.
"""

from local.emulator.firehose import patch as _patch
from local.emulator.firehose.dispatcher import Dispatcher

_FLUSH_SECONDS = 30.0
_installed: list[Dispatcher] = []


def patch() -> None:
    """Replace MiniStack's delivery; call it once, before MiniStack serves. Needs STATE_DIR in the environment.
    Raises UnexpectedError when MiniStack is not the one this was written for."""
    _installed.append(_patch.install(_patch.folder()))


def flush_all() -> bool:
    """Deliver everything buffered, waiting for it at most 30 seconds, and 5 for what only fails; False when some is
    left, which stays spooled. The server must still be up, and this must not run on its event loop."""
    return all(dispatcher.flush(_FLUSH_SECONDS) for dispatcher in _installed)
