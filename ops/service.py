"""The service as a client sees it: requests over HTTP, and the token of the machine client."""

import base64
import json
import os
import secrets
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from ops.aws import Stack
from ops.errors import OperationError

CONTRACT_PATH = "/v1/openapi.json"
TIMEOUT = urllib3.Timeout(connect=10, read=35)
# Answers that a client repeats, after `Retry-After`.
RETRYABLE_STATUSES = frozenset({429, 503, 504})
MAX_ATTEMPTS = 3
MAX_RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """The answer to a request. The names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The JSON document of the body; None when the body is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def is_from_cloudfront(self) -> bool:
        return "cloudfront" in self.headers.get("via", "").lower()

    def describe(self) -> str:
        """The status, and the reason that a problem document gives."""
        document = self.document
        detail = document.get("detail") if isinstance(document, dict) else None
        return f"{self.status} ({str(detail).rstrip('.')})" if detail else str(self.status)


class Service:
    """An HTTP client of one address. It may be shared by threads."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self._headers = dict(headers or {})
        self._pool = _create_pool(url)

    def with_headers(self, headers: Mapping[str, str]) -> "Service":
        """A client of the same address that sends these headers as well."""
        return Service(self.url, {**self._headers, **headers})

    def request(
        self, method: str, path: str, item: Any = None, headers: Mapping[str, str] | None = None, attempts: int = 1
    ) -> Answer:
        """Send a request, with an item as its JSON body. Redirects are not followed.

        With more `attempts`, repeat what the service asks to repeat. Raises OperationError when nothing answers.
        """
        sent = {**self._headers, **(headers or {})}
        body = None
        if item is not None:
            body = json.dumps(item).encode()
            sent["content-type"] = "application/json"
        for attempt in range(1, attempts + 1):
            answer = self.send(method, path, body, sent)
            if answer.status not in RETRYABLE_STATUSES or attempt == attempts:
                break
            time.sleep(_read_retry_seconds(answer))
        return answer

    def request_contract(self) -> Answer:
        """Get the OpenAPI document of now. CloudFront may have a copy from before a deploy for five minutes."""
        # The preference is part of CloudFront's cache key, and no function reads it.
        return self.request(
            "GET", CONTRACT_PATH, headers={"prefer": f"uncached={secrets.token_hex(8)}"}, attempts=MAX_ATTEMPTS
        )

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send a request once, with these headers only. Raises OperationError when nothing answers."""
        url = f"{self.url}{path}"
        try:
            response = self._pool.request(method, url, body=body, headers=headers, redirect=False, retries=False)
        except HTTPError as error:
            reason = str(error).rpartition(": ")[2].rstrip(".")
            raise OperationError(
                f"{urlsplit(url).netloc} does not answer: {reason}.",
                "Check the network and the stack.",
            ) from None
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, response.data)


def _create_pool(url: str) -> urllib3.PoolManager:
    """A connection pool that uses the proxy of the environment, except for this machine."""
    address = urlsplit(url)
    host = address.hostname or ""
    proxy = urllib.request.getproxies().get(address.scheme)
    ca_certs = os.environ.get("AWS_CA_BUNDLE") or None
    if proxy and host not in {"127.0.0.1", "localhost"} and not urllib.request.proxy_bypass(host):
        return urllib3.ProxyManager(proxy, timeout=TIMEOUT, maxsize=16, ca_certs=ca_certs)
    return urllib3.PoolManager(timeout=TIMEOUT, maxsize=16, ca_certs=ca_certs)


def _read_retry_seconds(answer: Answer) -> float:
    try:
        return min(max(float(answer.headers.get("retry-after", "1")), 0.0), MAX_RETRY_SECONDS)
    except ValueError:
        return 1.0


def needs_client_key(document: Any) -> bool:
    """Whether each client of the service with this OpenAPI document needs a key besides its token."""
    return "client_key" in document.get("components", {}).get("securitySchemes", {})


def fetch_machine_token(stack: Stack) -> str:
    """An access token of the stack's machine client, with all its scopes. Raises OperationError."""
    client_id = stack.output("MachineClientId")
    description = stack.client("cognito-idp").describe_user_pool_client(
        UserPoolId=stack.output("UserPoolId"), ClientId=client_id
    )
    secret = description["UserPoolClient"]["ClientSecret"]
    credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    endpoint = urlsplit(stack.token_url)
    pool = _create_pool(stack.token_url)
    try:
        response = pool.request(
            "POST",
            stack.token_url,
            body=urlencode({"grant_type": "client_credentials"}),
            headers={
                "authorization": f"Basic {credentials}",
                "content-type": "application/x-www-form-urlencoded",
            },
            redirect=False,
            retries=False,
        )
    except HTTPError:
        raise OperationError(
            f"The token endpoint {endpoint.netloc} does not answer.", "Check the stack's UserPoolDomain."
        ) from None
    if response.status != 200:
        raise OperationError(
            f"The token endpoint {endpoint.netloc} refused the machine client with {response.status}.",
            "Check that its flow client_credentials and its scopes were not changed.",
        )
    return str(json.loads(response.data)["access_token"])
