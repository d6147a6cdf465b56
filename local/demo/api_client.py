"""Write and read over HTTP as the machine client does."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from local.demo.progress import Advance
from local.process import LocalError

PUT_WORKERS, LINE_WORKERS = 8, 4
LINES_PER_REQUEST = 1_000
LINE_ATTEMPTS = 8
PAGE_SIZE = 500
# A client may repeat a write of an item until it is accepted.
RETRIED_STATUSES = {429, 502, 503, 504}
RETRY = urllib3.Retry(
    total=8,
    status_forcelist=RETRIED_STATUSES,
    allowed_methods=None,
    raise_on_status=False,
    backoff_factor=0.2,
    backoff_jitter=0.2,
)

Record = Mapping[str, Any]


class ApiClient:
    """A client with an access token. Raises LocalError for an unexpected response."""

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url
        self._pool = urllib3.PoolManager(
            maxsize=PUT_WORKERS, retries=RETRY, headers={"Authorization": f"Bearer {token}"}
        )

    def put_item(self, collection: str, item_id: str, data: Record) -> str:
        """Write an item and return the version of the write."""
        receipt = self._request("PUT", f"/v1/{collection}/{item_id}", {202}, json.dumps(dict(data)))
        return str(receipt["version"])

    def put_items(self, collection: str, records: Mapping[str, Record], advance: Advance) -> dict[str, str]:
        """Write each item by a request of its own, over parallel connections; returns the version of each."""
        versions: dict[str, str] = {}
        lock = threading.Lock()

        def put_record(record: tuple[str, Record]) -> None:
            version = self.put_item(collection, *record)
            with lock:
                versions[record[0]] = version
                advance(1)

        with ThreadPoolExecutor(PUT_WORKERS) as workers:
            for _ in workers.map(put_record, records.items()):
                pass
        return versions

    def post_items(self, collection: str, records: Sequence[Record], advance: Advance) -> dict[str, str]:
        """Write items as lines of NDJSON, many in a request; returns the version of each by its id."""
        versions: dict[str, str] = {}
        lock = threading.Lock()

        def post_lines(chunk: Sequence[Record]) -> None:
            accepted = self._post_lines(collection, chunk)
            with lock:
                versions.update(accepted)
                advance(len(accepted))

        chunks = [records[at : at + LINES_PER_REQUEST] for at in range(0, len(records), LINES_PER_REQUEST)]
        with ThreadPoolExecutor(LINE_WORKERS) as workers:
            for _ in workers.map(post_lines, chunks):
                pass
        return versions

    def _post_lines(self, collection: str, records: Sequence[Record]) -> dict[str, str]:
        accepted: dict[str, str] = {}
        for attempt in range(LINE_ATTEMPTS):
            body = "\n".join(json.dumps(dict(record)) for record in records)
            answer = self._request("POST", f"/v1/{collection}", {202, 207}, body, "application/x-ndjson")
            accepted |= {line["id"]: line["version"] for line in answer["lines"] if line["status"] == 202}
            others = [line for line in answer["lines"] if line["status"] != 202]
            if not others:
                return accepted
            if any(line["status"] != 503 for line in others):
                raise LocalError(f"POST /v1/{collection} refused a line: {others[0]}")
            # The stream did not take these lines.
            records = [records[line["line"] - 1] for line in others]
            time.sleep(0.2 * 2**attempt)
        raise LocalError(f"POST /v1/{collection}: the stream does not take {len(records)} lines.")

    def read_item(self, collection: str, item_id: str) -> dict[str, Any]:
        """Read an item."""
        item: dict[str, Any] = self._request("GET", f"/v1/{collection}/{item_id}", {200})
        return item

    def read_written(self, collection: str, item_id: str, version: str, *, seconds: float) -> dict[str, Any]:
        """Read an item as soon as it has at least this version. Raises LocalError when it has not within `seconds`."""
        path = f"/v1/{collection}/{item_id}?version={version}"
        deadline = time.monotonic() + seconds
        while True:
            response = self._send("GET", path, headers={"Prefer": "wait=5"})
            if response.status == 200:
                item: dict[str, Any] = response.json()
                return item
            if time.monotonic() > deadline:
                raise LocalError(f"GET {path} still responds {response.status} after {seconds:.0f} s.")
            time.sleep(0.2)

    def list_items(self, collection: str) -> dict[str, dict[str, Any]]:
        """Read a whole collection, page by page; returns the items by id."""
        items: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            page = self._request("GET", f"/v1/{collection}?limit={PAGE_SIZE}&after={after}", {200})
            items |= {item["id"]: item for item in page["items"]}
            if "next" not in page:
                return items
            after = page["next"]

    def _request(
        self, method: str, path: str, expected: set[int], body: str | None = None, media_type: str = "application/json"
    ) -> Any:
        response = self._send(method, path, body, {"Content-Type": media_type})
        if response.status not in expected:
            raise LocalError(f"{method} {path} responded {response.status}: {response.data.decode()[:500]}")
        return response.json()

    def _send(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method, self._api_url + path, body=body, headers={**self._pool.headers, **(headers or {})}
            )
        except urllib3.exceptions.HTTPError as error:
            raise LocalError(f"{method} {path} gets no response: {error}") from error
