"""Every error becomes one sentence that contains no secret and no data."""

import botocore.exceptions
import msgspec
import pymysql
import pytest

from sluice.aws.secrets import Credentials
from sluice.errors import AccessDenied, AwsConnectionError, AwsError, DatabaseUnavailable, MigrationRefused
from sluice.schema.ddl_executor import explain_error


def secret_error() -> msgspec.MsgspecError:
    with pytest.raises(msgspec.MsgspecError) as error:
        msgspec.json.decode(b'{"username": "me", "password": 12345}', type=Credentials)
    return error.value


def unreadable_secret(cause: AwsError) -> DatabaseUnavailable:
    error = DatabaseUnavailable("GetSecretValue")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DatabaseUnavailable("OperationalError 2003"), "the database is unreachable or accepts no changes now"),
        (AccessDenied("OperationalError 1045"), "the database rejects the admin's credentials"),
        (pymysql.OperationalError(2013, "Lost connection"), "the database is unreachable"),
        (pymysql.OperationalError(1205, "Lock wait timeout"), "a load locked a table for too long; deploy again"),
        (pymysql.OperationalError(1969, "Query was interrupted"), "raise the timeout and deploy again"),
        (pymysql.OperationalError(1118, "Row size too large."), "answered OperationalError 1118: Row size too large."),
        (TimeoutError("timed out"), "the database is unreachable"),
        (
            botocore.exceptions.ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue"),
            "AWS answered AccessDeniedException to GetSecretValue",
        ),
        (
            botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"),
            "the secret could not be read from AWS (ConnectTimeoutError)",
        ),
        (
            unreadable_secret(AwsError("ResourceNotFoundException", "GetSecretValue")),
            "AWS answered ResourceNotFoundException to GetSecretValue",
        ),
        (
            unreadable_secret(AwsConnectionError("ConnectTimeoutError")),
            "the secret could not be read from AWS (ConnectTimeoutError)",
        ),
        (secret_error(), "a database secret is not a JSON object with username and password"),
        (RuntimeError("environment variables are missing: DATABASE_HOST"), "missing: DATABASE_HOST"),
        (TypeError("Note.text: object has no column type"), "Note.text: object has no column type"),
        (ModuleNotFoundError("No module named 'alembic'"), "No module named 'alembic'"),
        (ZeroDivisionError("data"), "ZeroDivisionError; see the function's log"),
    ],
)
def test_a_failure_is_one_sentence(error: Exception, expected: str) -> None:
    sentence = explain_error(error)
    assert sentence.startswith("Could not migrate the database: ")
    assert expected in sentence
    assert sentence.endswith(".")
    assert not sentence.endswith("..")


@pytest.mark.parametrize(
    "error",
    [
        pymysql.IntegrityError(1062, "Duplicate entry 'data' for key 'PRIMARY'"),
        pymysql.DataError(1406, "Data too long: 'data'"),
        pymysql.ProgrammingError(1064, "You have an error near 'data'"),
        ZeroDivisionError("data"),
    ],
)
def test_no_data_are_quoted(error: Exception) -> None:
    assert "data'" not in explain_error(error)


def test_refusals_are_quoted_unchanged() -> None:
    assert explain_error(MigrationRefused(("One.", "Two."))) == "Nothing was changed. One. Two."
