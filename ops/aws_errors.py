"""Explain errors of AWS in one sentence each."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from ops.errors import CommandError, OperationError, UsageError

# What a call of AWS raises when it fails.
AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
AwsError = BotoCoreError | ClientError | ResponseParserError

_CREDENTIAL_ERRORS = (
    NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError, LoginError, TokenRetrievalError,
)  # fmt: skip
_CONNECTION_ERRORS = (BotoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
_INVALID_CREDENTIAL_CODES = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "UnrecognizedClientException", "InvalidSignatureException", "AuthFailure",
})  # fmt: skip
_ACCESS_DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


def explain_error(error: CommandError | AwsError) -> CommandError:
    """The error to report for one of a command or of AWS."""
    return error if isinstance(error, CommandError) else explain_aws_error(error)


def explain_aws_error(error: AwsError) -> CommandError:
    """The error to report: a UsageError where the operator can correct it, an OperationError otherwise."""
    if isinstance(error, _CREDENTIAL_ERRORS):
        return UsageError("AWS finds no usable credentials.", "Sign in, or give --profile.")
    reason = str(error).rstrip(".\n")
    if isinstance(error, _CONNECTION_ERRORS):
        return OperationError(f"AWS cannot be reached: {reason}.", "Check the network, --region and $AWS_ENDPOINT_URL.")
    if not isinstance(error, ClientError):
        # The remaining errors are about the configuration of the SDK.
        return UsageError(f"{reason}.", "Check --profile, --region and the AWS configuration files.")
    code, operation = str(error.response["Error"]["Code"]), error.operation_name
    if code in _INVALID_CREDENTIAL_CODES:
        return UsageError(
            f"AWS does not accept these credentials ({code}).", "Sign in again, or give another --profile."
        )
    if is_access_denied(error):
        return UsageError(
            f"These credentials have no permission for {operation}.",
            "docs/how-to/operate.md lists the permissions that an operator needs.",
        )
    reason = str(error.response["Error"].get("Message") or "AWS gives no reason").rstrip(".")
    return OperationError(f"AWS rejects {operation} with {code}: {reason}.")


def is_access_denied(error: ClientError) -> bool:
    """Whether the credentials are valid and lack a permission."""
    return str(error.response["Error"]["Code"]) in _ACCESS_DENIED_CODES
