"""The canary as a caller of the service: its access token, and one HTTP request at a time."""

import base64
import http.client
import os
import ssl
import time
from functools import cache
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from sluice.aws.tls import create_aws_tls_context
from sluice.errors import AccessTokenRefused

REQUEST_TIMEOUT_SECONDS = 10.0
"""What takes longer counts as failed. API Gateway itself answers after 29 seconds at the latest."""
# A token is replaced before it expires, so that it is valid for the whole of a run.
TOKEN_MARGIN_SECONDS = 1200.0


class Answer(NamedTuple):
    """An answer of the service. Status 0 stands for no answer: no connection, no valid certificate, no answer in time.

    `fault` is the class of the error then.
    """

    status: int
    body: bytes = b""
    request_id: str = ""
    fault: str = ""


class ClientCredentials(msgspec.Struct, frozen=True):
    """The app client of the canary. Its secret is JSON with these fields."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"ClientCredentials({self.client_id!r})"


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int


class ServiceCaller:
    """Calls the service with the token of an app client, which it gets when it needs one.

    `client_key` is the value of `x-api-key`, or empty where the service requires none.
    """

    def __init__(self, service_url: str, token_url: str, credentials: ClientCredentials, client_key: str = "") -> None:
        self._service_url = service_url
        self._token_url = token_url
        self._credentials = credentials
        self._client_key = client_key
        self._token, self._expires_at = "", 0.0

    def call(self, method: str, path: str, document: object = None) -> Answer:
        """Send one request, without a retry. Raises AccessTokenRefused if there is no token for it."""
        headers = {
            "Authorization": f"Bearer {self._get_token()}",
            "Content-Type": "application/json",
            # The firewall refuses requests without it.
            "User-Agent": "sluice-canary",
        }
        if method == "GET":
            # X-Ray would sample each, because there is at most one a second; API Gateway keeps the header's decision.
            headers["X-Amzn-Trace-Id"] = f"Root=1-{int(time.time()):08x}-{os.urandom(12).hex()};Sampled=0"
        if self._client_key:
            headers["x-api-key"] = self._client_key
        body = None if document is None else msgspec.json.encode(document)
        return send_request(method, self._service_url + path, headers, body)

    def _get_token(self) -> str:
        """Return the token; a new one once a day, because Cognito charges for each (the app client's validity)."""
        if time.monotonic() < self._expires_at:
            return self._token
        client = f"{self._credentials.client_id}:{self._credentials.client_secret}".encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(client).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"grant_type": "client_credentials"}).encode()
        answer = send_request("POST", self._token_url, headers, form)
        if answer.status != 200:
            raise AccessTokenRefused(f"the token endpoint answers {answer.status} {answer.fault}".rstrip())
        token = msgspec.json.decode(answer.body, type=_Token)
        self._token = token.access_token
        self._expires_at = time.monotonic() + token.expires_in - TOKEN_MARGIN_SECONDS
        return self._token


def send_request(method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
    """Send one request over a new connection, as a client that has just started does. Raises nothing."""
    parts = urlsplit(url)
    try:
        connection = _create_connection(parts.scheme, parts.netloc)
        try:
            connection.request(method, parts.path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, fault=type(error).__name__)
    return Answer(response.status, content, response.getheader("x-amzn-RequestId", ""))


def _create_connection(scheme: str, netloc: str) -> http.client.HTTPConnection:
    if scheme == "http":  # only the local stack
        return http.client.HTTPConnection(netloc, timeout=REQUEST_TIMEOUT_SECONDS)
    return http.client.HTTPSConnection(netloc, timeout=REQUEST_TIMEOUT_SECONDS, context=_get_tls_context())


@cache
def _get_tls_context() -> ssl.SSLContext:
    """Return a context that trusts the public authorities: the certificate of a custom domain may be any of theirs."""
    return create_aws_tls_context()
