"""The stack that is verified, with what its checks share: a client, its own items, waiting, cleaning up."""

import datetime
import json
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError

from ops.aws import Stack
from ops.aws_errors import explain_aws_error
from ops.commands.clients import create_client, delete_client
from ops.errors import CommandError, OperationError
from ops.service import MAX_ATTEMPTS, Answer, Service, fetch_machine_token, needs_client_key
from ops.verify.check import CheckFailed
from ops.verify.contract import Collection, choose_collections

Value = TypeVar("Value")

POLL_SECONDS = 2.0
# API Gateway accepts a new key everywhere after a minute or so.
KEY_SECONDS = 180.0
# A game day leaves hundreds of items to delete.
MAX_DELETES = 8
DEFAULT_WINDOW = datetime.timedelta(minutes=15)
# Beyond the buffers of the stack: a cold start, a retry, an event that is late.
DELIVERY_MARGIN_SECONDS = 120.0


@dataclass(frozen=True)
class OwnWrite:
    """An accepted write of the verification. `request_id` and `trace` are of the request, `seconds` since the epoch."""

    collection: Collection
    id: str
    version: str
    request_id: str
    trace: str
    seconds: float

    @property
    def path(self) -> str:
        return f"{self.collection.path}/{self.id}"


def _once(compute: "Callable[[Subject], Value]") -> "Callable[[Subject], Value]":
    """Let the first thread compute a value or an error, and every other one get the same."""
    name = compute.__name__

    @wraps(compute)
    def get(self: "Subject") -> Value:
        with self._locks.setdefault(name, threading.Lock()):
            if name not in self._computed:
                try:
                    self._computed[name] = (compute(self), None)
                except (CommandError, BotoCoreError, ClientError) as error:
                    self._computed[name] = (None, error)
            value, failure = self._computed[name]
        if failure is not None:
            raise failure
        return cast("Value", value)

    return get


class Subject:
    """A stack under verification. Its methods may be called by several threads."""

    def __init__(
        self,
        stack: Stack,
        collection: str | None = None,
        item: dict[str, Any] | None = None,
        window: datetime.timedelta = DEFAULT_WINDOW,
    ) -> None:
        """`collection` and `item` replace what the contract offers. The writes of `window` are compared."""
        self.stack = stack
        self.window = window
        self._collection_name = collection
        self._item = item
        self._locks: dict[str, threading.Lock] = {}
        self._computed: dict[str, tuple[Any, Exception | None]] = {}
        self._cleanup = ExitStack()
        self._remains: list[str] = []
        self._own_items: set[str] = set()
        self._stopped = threading.Event()

    # ---- What the checks use ----

    @_once
    def public(self) -> Service:
        """A client without a token."""
        return Service(self.stack.service_url)

    @_once
    def contract(self) -> Any:
        """The OpenAPI document of the service. Raises CheckFailed."""
        answer = self.public().request_contract()
        if answer.status != 200 or not isinstance(answer.document, dict):
            raise CheckFailed(
                f"{self.stack.service_url}/v1/openapi.json answers {answer.describe()}.",
                "See the log of OpenApiFunction, and docs/how-to/configure-the-edge.md.",
            )
        return answer.document

    @_once
    def client(self) -> Service:
        """A client with the token of the machine client, and a key of its own where clients need one."""
        headers = {"authorization": f"Bearer {fetch_machine_token(self.stack)}"}
        client = self.public().with_headers(headers)
        if not needs_client_key(self.contract()):
            return client
        api_client, key = create_client(self.stack, f"sluice verify {secrets.token_hex(4)}")
        self.clean_up_with(lambda: delete_client(self.stack, api_client))
        client = client.with_headers({"x-api-key": key})
        self.wait_until(
            lambda: client.request("GET", "/v1/", attempts=MAX_ATTEMPTS).status != 403,
            KEY_SECONDS,
            lambda: CheckFailed("The API refuses a new client key.", "See docs/how-to/client-keys.md."),
        )
        return client

    @_once
    def own_write(self) -> OwnWrite:
        """A new item of the verification, written once. Raises CheckFailed."""
        refusals = []
        for collection in choose_collections(self.contract(), self._collection_name):
            write, refusal = self._try_to_write(collection)
            if write:
                return write
            refusals.append(f"{collection.name}: {refusal}")
        raise CheckFailed(
            f"No write was accepted ({'; '.join(refusals)}).",
            "Give --collection and --item FILE with an item that the machine client may write.",
        )

    def _try_to_write(self, collection: Collection) -> tuple[OwnWrite | None, str]:
        """Write an item that does not exist; returns the write, or why there is none."""
        item = self._choose_item(collection)
        if item is None:
            return None, "every example exists as an item"
        answer, trace = self.send_item(collection, item)
        if answer.status != 202:
            return None, answer.describe()
        return self.parse_write(collection, answer, trace), ""

    def _choose_item(self, collection: Collection) -> dict[str, Any] | None:
        """An item whose id nobody has; None when every candidate exists already."""
        if not collection.key:
            return self._item or collection.copy_example()
        for candidate in [self._item] if self._item else collection.examples:
            path = f"{collection.path}/{candidate.get(collection.key, '')}"
            if self.client().request("GET", path, attempts=MAX_ATTEMPTS).status == 404:
                return dict(candidate)
        return None

    def send_item(
        self, collection: Collection, item: dict[str, Any], attempts: int = MAX_ATTEMPTS
    ) -> tuple[Answer, str]:
        """POST an item with a new, sampled trace. Returns the answer and the id of the trace."""
        # API Gateway keeps the decision of the header (X-Ray developer guide, "Tracing header").
        trace = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        headers = {"x-amzn-trace-id": f"Root={trace};Sampled=1", "idempotency-key": secrets.token_hex(16)}
        return self.client().request("POST", collection.path, item, headers, attempts), trace

    def parse_write(self, collection: Collection, answer: Answer, trace: str = "") -> OwnWrite:
        """The write that an answer 202 accepts. The item is deleted at the end of the verification."""
        body = answer.document
        request_id = answer.headers.get("x-amzn-requestid", "")
        write = OwnWrite(collection, body["id"], body["version"], request_id, trace, time.time())
        self._own_items.add(write.path)
        return write

    def delete_item(self, path: str) -> Answer:
        """Delete an item. Raises CheckFailed when the service does not accept it."""
        answer = self.client().request("DELETE", path, attempts=MAX_ATTEMPTS)
        if answer.status != 202:
            raise CheckFailed(f"DELETE {path} answers {answer.describe()}.", "Delete the item by hand.")
        self._own_items.discard(path)
        return answer

    # ---- Waiting ----

    def read_seconds(self, parameter: str) -> float:
        """The value of a parameter of the template that is a number of seconds."""
        return float(self.stack.parameters.get(parameter) or 0)

    @property
    def load_seconds(self) -> float:
        """Within how many seconds a write is applied while the database is available."""
        buffers = self.read_seconds("BufferSeconds") + self.read_seconds("TransformBufferSeconds")
        return buffers + DELIVERY_MARGIN_SECONDS

    def wait_until(self, probe: Callable[[], Value | None], seconds: float, explain: Callable[[], Exception]) -> Value:
        """Return the result of `probe` as soon as it is true. After `seconds`, raise what `explain` returns."""
        deadline = time.monotonic() + seconds
        while not (result := probe()):
            if time.monotonic() > deadline:
                raise explain()
            self.sleep(POLL_SECONDS)
        return result

    def sleep(self, seconds: float) -> None:
        """Sleep. Raises OperationError when the verification was stopped."""
        if self._stopped.wait(seconds):
            raise OperationError("Interrupted.")

    def stop(self) -> None:
        """End every wait of every check."""
        self._stopped.set()

    # ---- Cleaning up ----

    def clean_up_with(self, undo: Callable[[], object]) -> None:
        """Call `undo` at the end of the verification, the last one first."""
        self._cleanup.callback(self._run_undo, undo)

    def clean_up(self) -> list[str]:
        """Remove what the verification has made. Returns a sentence for each thing that could not be removed."""
        with ThreadPoolExecutor(MAX_DELETES) as executor:
            for path in sorted(self._own_items):
                executor.submit(self._run_undo, partial(self.delete_item, path))
        self._cleanup.close()
        return self._remains

    def _run_undo(self, undo: Callable[[], object]) -> None:
        try:
            undo()
        except CommandError as error:
            self._remains.append(str(error))
        except (BotoCoreError, ClientError) as error:
            self._remains.append(str(explain_aws_error(error)))


def read_item(text: str) -> dict[str, Any]:
    """Parse the JSON object of an item. Raises ValueError."""
    item = json.loads(text)
    if not isinstance(item, dict):
        raise ValueError("not an object")  # noqa: TRY004  the text is wrong, not its type in Python
    return item
