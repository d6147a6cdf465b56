"""Every exception of this application, except the HTTP problems (see `sluice.http.problem`)."""

from collections.abc import Mapping


class DatabaseUnavailable(Exception):  # noqa: N818
    """The database cannot take this now: gone, starting, full or read-only, or its password cannot be learned.

    Waiting helps.
    """


class LockConflict(Exception):  # noqa: N818
    """A deadlock or a lock timeout: the same again, soon."""


class AccessDenied(Exception):  # noqa: N818
    """The credentials are not (or no longer) valid, or do not allow this."""


class SchemaOutdated(Exception):  # noqa: N818
    """The tables or this code are older than the write. The deploy that is under way, or a migration, helps."""


class UnreadableBatch(Exception):  # noqa: N818
    """The object is no batch: not GZIP or not JSON lines. Nothing helps; it is quarantined."""


class StrictModeRequired(Exception):  # noqa: N818
    """The batch has something that needs a closer look."""


class ExclusiveModeRequired(Exception):  # noqa: N818
    """A write beyond the mark in a load that shares its lock: the load must start again, alone."""


class FilteredModeRequired(Exception):  # noqa: N818
    """A write that is old enough to have been excluded: the load must start again, and leave out those that were."""


class RowsRejected(Exception):  # noqa: N818
    """The database would not keep the rows as they are. Reasons are as a client may read them; they may quote data.

    `reason` is the first, `reasons` those of rows that it names, by their place from 0. There may be `more`: a server
    keeps only some complaints (`max_error_count`).
    """

    def __init__(self, reason: str, reasons: Mapping[int, str] | None = None, *, has_more: bool = False) -> None:
        super().__init__("rows refused")
        self.reason = reason
        self.reasons = reasons or {}
        self.has_more = has_more


class AwsError(Exception):
    """A call of AWS that failed. `code` is AWS's error code, or botocore's name for what befell the connection.

    AWS's own message is left out, since it may quote what it was sent.
    """

    def __init__(self, code: str, operation: str = "", status: int = 0) -> None:
        super().__init__(f"{operation}: {code}" if operation else code)
        self.code = code
        self.operation = operation
        self.status = status


class AwsConnectionError(AwsError):
    """No answer came."""


class StreamUnavailable(Exception):  # noqa: N818
    """The stream did not take a record. `code` is AWS's error code, or the class of the client's error."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the stream did not take the write: {code}")
        self.code = code


class InvalidFieldValue(ValueError):  # noqa: N818
    """JSON of the right types, in which one field has a value that cannot be taken."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field, self.detail = field, detail


class CacheUnavailable(Exception):  # noqa: N818
    """The cache did not answer in time, or not as it should. Nobody needs it."""


class CacheErrorReply(Exception):  # noqa: N818
    """The server answered with an error."""


class InvalidInput(Exception):  # noqa: N818
    """The input of a workflow or of a function is invalid. The message is for operators."""


class InvalidWindow(Exception):  # noqa: N818
    """The window ends before it begins."""


class FutureTime(Exception):  # noqa: N818
    """A time of the input is in the future."""


class UnknownCollection(Exception):  # noqa: N818
    """No resource has this collection."""


class NoRebuildSource(Exception):  # noqa: N818
    """S3 does not have the data to rebuild the tables from."""


class RebuildInProgress(Exception):  # noqa: N818
    """Another rebuild is running."""


class MigrationFailed(Exception):  # noqa: N818
    """A migration failed. The message is one sentence for operators, without secrets and data."""


class MigrationRefused(MigrationFailed):
    """A migration was refused, and nothing was changed. The message has one sentence for each refusal."""

    def __init__(self, refusals: tuple[str, ...]) -> None:
        super().__init__(" ".join(("Nothing was changed.", *refusals)))
        self.refusals = refusals


class RebuildRefused(MigrationFailed):
    """A rebuild cannot start or cannot be swapped in. The live tables are unchanged."""


class ResponseNotDelivered(Exception):  # noqa: N818
    """CloudFormation did not accept the response. Lambda invokes the function again, which retries."""


class RotationFailed(Exception):  # noqa: N818
    """A step of a rotation failed. The message contains no secret, and the current password stays valid."""
