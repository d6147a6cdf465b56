"""Run an export: the pages of a collection one after another, into a file that is complete or not there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from ops.data.collection import CollectionClient
from ops.data.transfer_progress import Show
from ops.data.transfer_state import TransferState
from ops.errors import OperationError, UsageError, WaitInterrupted

PAGE_ITEMS = 500


def iterate_pages(client: CollectionClient, cursor: str = "") -> Iterator[tuple[list[dict[str, Any]], str]]:
    """The pages of a collection in the order of the ids, each with the cursor of the next one (empty: the last page).

    Raises OperationError when the service answers with an error.
    """
    while True:
        query = urlencode({"limit": PAGE_ITEMS, **({"after": cursor} if cursor else {})})
        answer = client.request("GET", f"{client.path}?{query}")
        page = answer.document
        if answer.status != 200 or not isinstance(page, dict):
            raise OperationError(f"GET {client.path} answers {answer.describe()}.", "Check the rights of the token.")
        cursor = str(page.get("next") or "")
        yield page["items"], cursor
        if not cursor:
            return


def encode_items(items: list[dict[str, Any]], *, metadata: bool) -> bytes:
    """A line for each item: its data, or with `metadata` also its id, version and time."""
    documents = items if metadata else [item["data"] for item in items]
    return b"".join(json.dumps(document, ensure_ascii=False).encode() + b"\n" for document in documents)


def run_export(  # noqa: PLR0913  the last two by name
    client: CollectionClient,
    collection: str,
    target: Path,
    show: Show,
    *,
    metadata: bool = False,
    restart: bool = False,
) -> int:
    """Write a collection to a file, which appears when it is complete. Returns how many items it has.

    Raises OperationError, UsageError and WaitInterrupted; the same command goes on afterwards.
    """
    part, state_file = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.export.json")
    if restart:
        state_file.unlink(missing_ok=True)
    state = TransferState.load(state_file, collection, "metadata" if metadata else "data")
    try:
        with part.open("r+b" if state.output_bytes else "wb") as file:
            file.truncate(state.output_bytes)
            file.seek(state.output_bytes)
            for items, cursor in iterate_pages(client, state.cursor):
                file.write(encode_items(items, metadata=metadata))
                file.flush()
                state.rows, state.cursor, state.output_bytes = state.rows + len(items), cursor, file.tell()
                if cursor:
                    state.save(state_file)
                show(state.rows, None, f"{state.rows:,} items")
        part.replace(target)
    except KeyboardInterrupt:
        hint = "The same command goes on where this one ended."
        raise WaitInterrupted(f"Interrupted after {state.rows:,} items.", hint) from None
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.", "Give another FILE.") from None
    state_file.unlink(missing_ok=True)
    return state.rows


def print_export(client: CollectionClient, output: IO[bytes], show: Show, *, metadata: bool = False) -> int:
    """Write a collection to a stream, such as standard output. Returns how many items it has."""
    count = 0
    for items, _ in iterate_pages(client):
        output.write(encode_items(items, metadata=metadata))
        count += len(items)
        show(count, None, f"{count:,} items")
    output.flush()
    return count
