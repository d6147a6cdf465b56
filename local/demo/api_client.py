"""Write and read over HTTP as the machine client does."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from local.process import LocalError

WORKERS = 8
PAGE_SIZE = 500
# A client may repeat a PUT until it is accepted.
RETRIED_STATUSES = {429, 502, 503, 504}
RETRY = urllib3.Retry(
    total=8, status_forcelist=RETRIED_STATUSES, allowed_methods=None, backoff_factor=0.2, backoff_jitter=0.2
)

Record = Mapping[str, Any]


class ApiClient:
    """A client with an access token. Raises LocalError for an unexpected response."""

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url
        self._pool = urllib3.PoolManager(maxsize=WORKERS, retries=RETRY, headers={"Authorization": f"Bearer {token}"})

    def put_item(self, collection: str, item_id: str, data: Record) -> str:
        """Write an item and return the version of the write."""
        receipt = self._request("PUT", f"/v1/{collection}/{item_id}", 202, dict(data))
        return str(receipt["version"])

    def put_items(
        self, collection: str, records: Iterable[tuple[str, Record]], on_written: Callable[[], None]
    ) -> dict[str, str]:
        """Write items over parallel connections and return the version of each; calls `on_written` after each."""
        versions: dict[str, str] = {}
        lock = threading.Lock()

        def put_record(record: tuple[str, Record]) -> None:
            version = self.put_item(collection, *record)
            with lock:
                versions[record[0]] = version
                on_written()

        with ThreadPoolExecutor(WORKERS) as workers:
            for _ in workers.map(put_record, records):
                pass
        return versions

    def list_items(self, collection: str) -> dict[str, dict[str, Any]]:
        """Read a whole collection, page by page; returns the items by id."""
        items: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            page = self._request("GET", f"/v1/{collection}?limit={PAGE_SIZE}&after={after}", 200)
            items |= {item["id"]: item for item in page["items"]}
            if "next" not in page:
                return items
            after = page["next"]

    def _request(self, method: str, path: str, expected_status: int, body: Any = None) -> Any:
        headers = {**self._pool.headers, "Content-Type": "application/json"}
        response = self._pool.request(
            method, self._api_url + path, body=None if body is None else json.dumps(body), headers=headers
        )
        if response.status != expected_status:
            raise LocalError(f"{method} {path} responded {response.status}: {response.data.decode()[:500]}")
        return response.json()
