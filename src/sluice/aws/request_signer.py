"""Sign a POST to one service of AWS with AWS's own aws-sdk-signers."""

import io
from typing import Self
from urllib.parse import urlsplit

from aws_sdk_signers import URI, AWSCredentialIdentity, AWSRequest, Field, Fields, SigV4Signer, SigV4SigningProperties

from sluice.aws.lambda_environment import AwsCredentials


class _Post(AWSRequest):
    """A request that is made for one signature. The signer need not copy it, which would take most of its time."""

    def __deepcopy__(self, memo: object = None) -> Self:
        return self


class RequestSigner:
    """Signs the requests to one service with the credentials of a role."""

    def __init__(self, service: str, region: str, endpoint_url: str, credentials: AwsCredentials) -> None:
        parts = urlsplit(endpoint_url)
        self._destination = URI(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, path="/")
        self._properties = SigV4SigningProperties(region=region, service=service)
        self._identity = AWSCredentialIdentity(
            access_key_id=credentials.access_key,
            secret_access_key=credentials.secret_key,
            session_token=credentials.session_token or None,
        )
        self._signer = SigV4Signer()

    def sign_headers(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """Return the headers of a POST to `/` with a signature of version 4 of now."""
        fields = Fields([Field(name=name, values=[value]) for name, value in headers.items()])
        request = _Post(destination=self._destination, method="POST", body=io.BytesIO(body), fields=fields)
        signed = self._signer.sign(request=request, identity=self._identity, properties=self._properties)
        return {field.name: field.as_string() for field in signed.fields}
