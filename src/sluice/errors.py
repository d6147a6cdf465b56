"""Every exception of this application, except the HTTP problems (see `sluice.http.problem`).

    SluiceError
    ├── RetryableError               waiting, or a retry, helps
    │   ├── DatabaseUnavailable      the workflows wait, then park the batch
    │   ├── LockConflict             the workflows retry at once
    │   ├── StreamUnavailable        the API responds with 503
    │   ├── CacheUnavailable         reads and loads go on without the cache
    │   ├── AccessTokenRefused       the canary's next run asks again
    │   ├── InstanceBusy             the workflow asks RDS again
    │   └── ResponseNotDelivered     Lambda invokes the function again
    ├── OperatorError                a person has to act; the message, or docs/how-to, says how
    │   ├── AccessDenied             correct the credentials or the permissions
    │   ├── SchemaOutdated           deploy, or migrate the tables
    │   ├── UnreadableBatch          inspect the quarantined batch
    │   ├── InvalidInput, InvalidWindow, FutureTime, UnknownCollection
    │   ├── NoRebuildSource, RebuildInProgress, ProofInProgress
    │   ├── MigrationFailed
    │   │   ├── MigrationRefused
    │   │   └── RebuildRefused
    │   ├── InstanceNotFound, InstanceExists, SnapshotNotFound, NotRestorable
    │   ├── RestoreRefused, RestoreInProgress, InstanceFailed
    │   └── RotationFailed
    ├── AwsError                     an AWS call failed; its code says whether a retry helps
    │   └── AwsConnectionError
    ├── InvalidFieldValue            (also a ValueError) the API responds with 422
    ├── CacheErrorReply              becomes CacheUnavailable
    └── LoaderSignal                 controls a load and never leaves the loader
        ├── LoadModeRequired
        └── RowsRejected

The workflows retry and catch errors by the name of the class. Except where a class says otherwise, messages have no
data of a client.
"""

import json
from collections.abc import Mapping
from enum import Flag


class SluiceError(Exception):
    """The base class."""


class RetryableError(SluiceError):
    """Waiting, or a retry, helps. Nothing has to be changed."""


class OperatorError(SluiceError):
    """A retry alone does not help. A person has to change something, or to finish a deployment."""


class LoaderSignal(SluiceError):  # noqa: N818  a signal, not an error
    """Controls a load. It never leaves the loader."""


class DatabaseUnavailable(RetryableError):  # noqa: N818  the workflows catch it by this name
    """The database is down, starting, full or read-only, or its password cannot be read."""


class LockConflict(RetryableError):  # noqa: N818  the workflows catch it by this name
    """A deadlock, a lock timeout, or another change at the same time. A retry can succeed at once."""


class StreamUnavailable(RetryableError):  # noqa: N818  named like the others that are unavailable
    """The stream did not accept a record. `code` is AWS's error code, or the class of the client's error."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the stream did not accept the write: {code}")
        self.code = code


class CacheUnavailable(RetryableError):  # noqa: N818  named like the others that are unavailable
    """The cache did not answer correctly, or not in time. Every caller can do without it."""


class AccessTokenRefused(RetryableError):  # noqa: N818  named after what happened, as the others
    """The canary got no access token, so it cannot measure. The message has the status of the token endpoint."""


class InstanceBusy(RetryableError):  # noqa: N818  the workflows catch it by this name
    """The status of an RDS instance or of a snapshot does not allow the change now."""


class ResponseNotDelivered(RetryableError):  # noqa: N818  the state, in the words of CloudFormation
    """CloudFormation did not accept the response. Lambda invokes the function again, which sends it again."""


class AccessDenied(OperatorError):  # noqa: N818  the workflows catch it by this name
    """The database does not accept the credentials (any more), or they lack a permission."""


class SchemaOutdated(OperatorError):  # noqa: N818  the workflows catch it by this name
    """The tables or this code are older than the write. A deployment or a migration has to finish."""


DATABASE_ERRORS = (DatabaseUnavailable, LockConflict, AccessDenied, SchemaOutdated)
"""The database errors: what `sluice.db.errors` makes of the driver's errors."""


class UnreadableBatch(OperatorError):  # noqa: N818  the workflows catch it by this name
    """The object is not GZIP, or its lines are not writes. The workflow quarantines it."""


class InvalidInput(OperatorError):  # noqa: N818  the workflows catch it by this name
    """The input is not what the workflow accepts."""


class InvalidWindow(OperatorError):  # noqa: N818  the workflows catch it by this name
    """The time window ends before it begins."""


class FutureTime(OperatorError):  # noqa: N818  the workflows catch it by this name
    """A time of the input is in the future."""


class UnknownCollection(OperatorError):  # noqa: N818  the workflows catch it by this name
    """No resource has this collection."""


class NoRebuildSource(OperatorError):  # noqa: N818  the workflows catch it by this name
    """S3 does not have the data to rebuild the tables from."""


class RebuildInProgress(OperatorError):  # noqa: N818  the workflows catch it by this name
    """Another rebuild is running."""


class ProofInProgress(OperatorError):  # noqa: N818  the workflows catch it by this name
    """Another proof of a backup is running."""


class MigrationFailed(OperatorError):  # noqa: N818  CloudFormation shows it
    """A migration failed. The message is one sentence for the operator."""


class MigrationRefused(MigrationFailed):
    """A migration is refused, and nothing was changed. The message has the sentence of every refusal."""

    def __init__(self, refusals: tuple[str, ...]) -> None:
        super().__init__(" ".join(("Nothing was changed.", *refusals)))
        self.refusals = refusals


class RebuildRefused(MigrationFailed):
    """A rebuild cannot start or finish here. The live tables are unchanged."""


class InstanceNotFound(OperatorError):  # noqa: N818  the workflows catch it by this name
    """RDS has no instance, or no backup of one, with this name."""


class InstanceExists(OperatorError):  # noqa: N818  the workflows catch it by this name
    """RDS has an instance with this name already."""


class SnapshotNotFound(OperatorError):  # noqa: N818  the workflows catch it by this name
    """RDS has no snapshot with this name."""


class NotRestorable(OperatorError):  # noqa: N818  the workflows catch it by this name
    """RDS cannot restore this: the instance has no backups, or the moment or snapshot is unsuitable."""


class RestoreRefused(OperatorError):  # noqa: N818  the workflows catch it by this name
    """A restore cannot start like this. Nothing was changed. The message is one sentence for the operator."""


class RestoreInProgress(OperatorError):  # noqa: N818  the workflows catch it by this name
    """Another restore, or a rebuild, is running."""


class InstanceFailed(OperatorError):  # noqa: N818  the workflows catch it by this name
    """RDS gave up on an instance: its status will not become available by itself."""


class RotationFailed(OperatorError):  # noqa: N818  Secrets Manager shows it
    """A step of a rotation failed. The current password stays valid. The message has no secret."""


class AwsError(SluiceError):
    """An AWS call failed. `code` is AWS's error code, or botocore's name for the failure of the connection.

    The message leaves out AWS's own message, because that can quote the request.
    """

    def __init__(self, code: str, operation: str = "", status: int = 0) -> None:
        super().__init__(f"{operation}: {code}" if operation else code)
        self.code = code
        self.operation = operation
        self.status = status


class AwsConnectionError(AwsError):
    """AWS did not respond."""


class InvalidFieldValue(SluiceError, ValueError):  # noqa: N818  a client's mistake, not an error of ours
    """JSON of the right types, in which one field has a value that the resource does not accept."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field, self.detail = field, detail


class CacheErrorReply(SluiceError):  # noqa: N818  the protocol's term
    """The cache replied with an error."""


class LoadModeRequired(LoaderSignal):
    """The load has to start over in a mode that the batch requires, in addition to its present mode (a `LoadMode`)."""

    def __init__(self, mode: Flag) -> None:
        super().__init__(mode.name)
        self.mode = mode


class RowsRejected(LoaderSignal):
    """The database did not store the rows as they are. The reasons are for clients, and can quote data.

    `reason` is the first one. `reasons` has the reason of each row that the server names, by its position from 0. With
    `has_more`, the server dropped some of its warnings (`max_error_count`).
    """

    def __init__(self, reason: str, reasons: Mapping[int, str] | None = None, *, has_more: bool = False) -> None:
        super().__init__("the database rejected rows")
        self.reason = reason
        self.reasons = reasons or {}
        self.has_more = has_more


def extract_message(cause: str) -> str:
    """Return the message of an error from the `Cause` that Step Functions gives it, or an empty text if it has none.

    That of a function is a document with the exception. That of an execution which another one started describes this
    execution, with a `Cause` of its own.
    """
    try:
        document = json.loads(cause)
    except ValueError:
        return ""
    if not isinstance(document, dict):
        return ""
    if message := document.get("errorMessage"):
        return str(message)
    inner = str(document.get("Cause") or "")
    return extract_message(inner) or inner
