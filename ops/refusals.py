"""AWS's refusals in one sentence each."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError, TokenRetrievalError)
_NOT_ACCEPTED = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "UnrecognizedClientException", "InvalidSignatureException", "AuthFailure",
})  # fmt: skip
_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


def refusal(error: BotoCoreError | ClientError) -> tuple[str, bool]:
    """What to say, and whether it is the operator's to mend."""
    if isinstance(error, ProfileNotFound | NoRegionError):
        return f"{error}".rstrip(".") + "; see --profile and --region.", True
    if isinstance(error, _CREDENTIALS):
        return "AWS finds no usable credentials here: sign in, or give --profile.", True
    if not isinstance(error, ClientError):
        return f"AWS could not be asked: {error}".rstrip(".") + ".", False
    code, operation = str(error.response["Error"]["Code"]), error.operation_name
    if code in _NOT_ACCEPTED:
        return f"AWS does not accept these credentials ({code}): sign in again, or give another --profile.", True
    if code in _NOT_ALLOWED:
        return f"These credentials may not do {operation}; see docs/operate.md for what an operator needs.", True
    said = str(error.response["Error"].get("Message") or "it says nothing more").rstrip(".")
    return f"AWS refused {operation} with {code}: {said}.", False
