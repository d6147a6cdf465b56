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
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

_CREDENTIAL_ERRORS = (
    NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError, LoginError, TokenRetrievalError,
)  # fmt: skip


_CONNECTION_ERRORS = (NoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)


_INVALID_CREDENTIAL_CODES = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "UnrecognizedClientException", "InvalidSignatureException", "AuthFailure",
})  # fmt: skip


_ACCESS_DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


def explain_aws_error(error: BotoCoreError | ClientError | ResponseParserError) -> tuple[str, bool]:
    """What to say, and whether it is the operator's to mend."""
    if isinstance(error, _CREDENTIAL_ERRORS):
        return "AWS finds no usable credentials here: sign in, or give --profile.", True
    said = str(error).rstrip(".\n")
    if isinstance(error, _CONNECTION_ERRORS):
        return f"AWS could not be asked: {said}; see the network, --region and $AWS_ENDPOINT_URL.", False
    if not isinstance(error, ClientError):
        # What is left is about how the SDK was set up.
        return f"{said}; see --profile, --region and AWS's configuration files.", True
    code, operation = str(error.response["Error"]["Code"]), error.operation_name
    if code in _INVALID_CREDENTIAL_CODES:
        return f"AWS does not accept these credentials ({code}): sign in again, or give another --profile.", True
    if code in _ACCESS_DENIED_CODES:
        return f"These credentials may not do {operation}; see docs/how-to/operate.md for what an operator needs.", True
    said = str(error.response["Error"].get("Message") or "it says nothing more").rstrip(".")
    return f"AWS refused {operation} with {code}: {said}.", False
