"""A collection of a deployed service: its contract, and requests whose token is renewed."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ops.aws import Stack
from ops.data.cells import Kind
from ops.data.items import FieldRule
from ops.errors import OperationError, UsageError
from ops.service import Answer, Service, fetch_machine_token, needs_client_key

RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
MAX_ATTEMPTS = 10
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.5, 30.0
_KINDS: dict[Any, Kind] = {
    "integer": "int", "number": "float", "boolean": "bool", "array": "json", "object": "json", "string": "text",
}  # fmt: skip
_FORMATS: dict[Any, Kind] = {"date": "date", "date-time": "datetime", "uuid": "uuid"}
_RESUME_HINT = "The same command goes on where this one ended."


class TokenSource:
    """The token of a stack's machine client, or one of the command line. It may be shared by threads."""

    def __init__(self, stack: Stack | None, fixed: str = "") -> None:
        self._stack, self._fixed, self._token = stack, fixed, fixed
        self._lock = threading.Lock()

    def get_token(self) -> str:
        """A token that was accepted so far."""
        with self._lock:
            if not self._token and self._stack:
                self._token = fetch_machine_token(self._stack)
            return self._token

    def renew_token(self, refused: str) -> None:
        """Let the next request have another token than a refused one. Raises UsageError when there is no other."""
        if self._fixed:
            raise UsageError("The service refuses the token.", f"Give a new --token. {_RESUME_HINT}")
        with self._lock:
            if self._token == refused:
                self._token = ""


class CollectionClient:
    """Sends requests about one collection, and repeats what may be repeated. It may be shared by threads."""

    def __init__(self, service: Service, collection: str, tokens: TokenSource, client_key: str = "") -> None:
        self.path = f"/v1/{collection}"
        self._service, self._tokens = service, tokens
        self._headers = {"x-api-key": client_key} if client_key else {}
        self._stopped = threading.Event()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request until the service answers it. Raises OperationError when it does not after many attempts."""
        renewed = False
        for attempt in range(MAX_ATTEMPTS):
            if self._stopped.is_set():
                raise OperationError("Interrupted.", _RESUME_HINT)
            token = self._tokens.get_token()
            sent = {**self._headers, **(headers or {}), "authorization": f"Bearer {token}"}
            try:
                answer = self._service.send(method, path, body, sent)
            except OperationError:
                if attempt == MAX_ATTEMPTS - 1:
                    raise
                self.wait(attempt)
                continue
            if answer.status == 401 and not renewed:
                renewed = True
                self._tokens.renew_token(token)
            elif answer.status not in RETRYABLE_STATUSES:
                return answer
            else:
                self.wait(attempt, answer)
        raise OperationError(f"{method} {path} answers {answer.describe()} at each attempt.", _RESUME_HINT)

    def wait(self, attempt: int, answer: Answer | None = None) -> None:
        """Wait before another attempt: longer each time, with jitter, and as long as the service asks for."""
        delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
        requested = answer.headers.get("retry-after", "") if answer else ""
        if requested.isdigit():
            delay = max(delay, min(float(requested), MAX_DELAY_SECONDS))
        if self._stopped.wait(delay):
            raise OperationError("Interrupted.", _RESUME_HINT)

    def stop(self) -> None:
        """End every wait."""
        self._stopped.set()


@dataclass(frozen=True)
class CollectionContract:
    """What the contract says about the items of a collection. `key` is empty when the service chooses the ids."""

    key: str
    rules: Mapping[str, FieldRule]


def read_contract(service: Service, collection: str, client_key: str = "") -> CollectionContract:
    """Read the contract of a collection. Raises UsageError for one that the service does not have."""
    answer = service.request_contract()
    document = answer.document
    if answer.status != 200 or not isinstance(document, dict):
        raise OperationError(f"{service.url}/v1/openapi.json answers {answer.describe()}.", "Check the stack.")
    tags = {tag["name"]: tag for tag in document.get("tags", [])}
    if collection not in tags:
        names = ", ".join(sorted(tags))
        raise UsageError(
            f"The service has no collection {collection}; it has {names}.",
            "Deploy its class first.",
        )
    if needs_client_key(document) and not client_key:
        raise UsageError("Clients of this service need a key.", "Give --client-key (docs/how-to/client-keys.md).")
    post = document["paths"][f"/v1/{collection}"]["post"]
    schema = _resolve(document, post["requestBody"]["content"]["application/json"]["schema"])
    required = set(schema.get("required", []))
    rules = {
        name: _create_rule(_resolve(document, field), name in required) for name, field in schema["properties"].items()
    }
    return CollectionContract(tags[collection].get("x-key") or "", rules)


def _create_rule(schema: Mapping[str, Any], required: bool) -> FieldRule:
    choices = schema.get("anyOf", [schema])
    nullable = any(choice.get("type") == "null" for choice in choices)
    others = [choice for choice in choices if choice.get("type") != "null"]
    kinds = [_choose_kind(choice) for choice in others]
    # A decimal is a text or a number.
    kind: Kind = "decimal" if set(kinds) == {"text", "float"} else kinds[0] if kinds else "text"
    return FieldRule(kind, nullable, required)


def _choose_kind(schema: Mapping[str, Any]) -> Kind:
    if "enum" in schema:
        return "text" if all(isinstance(value, str) for value in schema["enum"]) else "int"
    if "$ref" in schema:
        return "json"
    kind = _KINDS.get(schema.get("type"), "text")
    return _FORMATS.get(schema.get("format"), "text") if kind == "text" else kind


def _resolve(document: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Any = document
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def choose_address(url: str, token: str) -> str:
    """The address of a service that is named by its URL. Raises UsageError for one that a token must not go to."""
    address = urlsplit(url)
    is_here = address.hostname in {"127.0.0.1", "localhost", "::1"}
    if address.scheme != "https" and not (address.scheme == "http" and is_here):
        raise UsageError(f"--url {url} does not begin with https://.", "Give the Url of the stack's outputs.")
    if not token:
        raise UsageError("--url needs a token.", "Give --token, or set $SLUICE_TOKEN.")
    return url.rstrip("/").removesuffix("/v1")


def create_client(
    service: Service, collection: str, tokens: TokenSource, client_key: str
) -> tuple[CollectionClient, CollectionContract]:
    """A client of a collection, and its contract. Raises UsageError for a collection that the service does not have."""
    contract = read_contract(service, collection, client_key)
    return CollectionClient(service, collection, tokens, client_key), contract
