"""AWS's refusals in one sentence each."""

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

_CREDENTIALS = (
    NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError, LoginError, TokenRetrievalError,
)  # fmt: skip
_NOT_REACHED = (NoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
_NOT_ACCEPTED = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "UnrecognizedClientException", "InvalidSignatureException", "AuthFailure",
})  # fmt: skip
_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


def refusal(error: BotoCoreError | ClientError | ResponseParserError) -> tuple[str, bool]:
    """What to say, and whether it is the operator's to mend."""
    if isinstance(error, _CREDENTIALS):
        return "AWS finds no usable credentials here: sign in, or give --profile.", True
    said = str(error).rstrip(".\n")
    if isinstance(error, _NOT_REACHED):
        return f"AWS could not be asked: {said}; see the network, --region and $AWS_ENDPOINT_URL.", False
    if not isinstance(error, ClientError):
        # What is left is about how the SDK was set up.
        return f"{said}; see --profile, --region and AWS's configuration files.", True
    code, operation = str(error.response["Error"]["Code"]), error.operation_name
    if code in _NOT_ACCEPTED:
        return f"AWS does not accept these credentials ({code}): sign in again, or give another --profile.", True
    if code in _NOT_ALLOWED:
        return f"These credentials may not do {operation}; see docs/operate.md for what an operator needs.", True
    said = str(error.response["Error"].get("Message") or "it says nothing more").rstrip(".")
    return f"AWS refused {operation} with {code}: {said}.", False
