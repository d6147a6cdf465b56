"""Run an import: chunks over several connections at once, the position saved in order, rejected rows in a file."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ops.data.collection import CollectionClient, CollectionContract
from ops.data.items import ItemBuilder
from ops.data.names import map_field_names
from ops.data.source_file import ReadingOptions, SourceFile
from ops.data.transfer_progress import Show
from ops.data.transfer_state import TransferState, compute_digest
from ops.data.upload import Chunk, ChunkSender, RejectedRow, iterate_chunks
from ops.errors import UsageError, WaitInterrupted

_SHOWN_NAMES = 5


@dataclass(frozen=True)
class ImportFiles:
    """The files of an import: the data, and beside them the position and the rejected rows."""

    source: Path

    @property
    def state(self) -> Path:
        return self.source.with_name(f"{self.source.name}.import.json")

    @property
    def rejected(self) -> Path:
        return self.source.with_name(f"{self.source.name}.rejected.jsonl")


@dataclass(frozen=True)
class ImportOptions:
    """How the data are read and sent."""

    collection: str
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    concurrency: int = 4
    restart: bool = False


def run_import(
    client: CollectionClient, contract: CollectionContract, files: ImportFiles, options: ImportOptions, show: Show
) -> TransferState:
    """Send every row that no earlier run has sent. Returns the final position.

    Raises UsageError for a file that does not belong to the collection, OperationError when the service takes no more,
    and WaitInterrupted; the same command goes on afterwards.
    """
    file = SourceFile(files.source, options.reading)
    builder = create_builder(file, contract, options)
    if options.restart:
        files.state.unlink(missing_ok=True)
    digest = compute_digest(files.source)
    state = TransferState.load(files.state, options.collection, digest)
    sender = ChunkSender(client, digest[:32])
    # Before the first request, so that a folder that cannot be written costs nothing.
    state.save(files.state)
    with _open_rejected(files.rejected, state.output_bytes) as rejected_file:

        def commit(chunk: Chunk, rejected: list[RejectedRow]) -> None:
            for row in rejected:
                rejected_file.write(row.encode())
            rejected_file.flush()
            state.rows, state.rejected = chunk.last_row, state.rejected + len(rejected)
            state.refused_by_firewall += sum(row.was_refused_by_firewall for row in rejected)
            state.output_bytes = rejected_file.tell()
            state.save(files.state)
            detail = f"{state.rows:,} rows" + (f", {state.rejected:,} rejected" if state.rejected else "")
            show(file.consumed_bytes, file.size_bytes, detail)

        try:
            for chunk, future in _send_in_order(iterate_chunks(file, builder, state.rows), sender, client, options):
                commit(chunk, future.result())
        except KeyboardInterrupt:
            raise WaitInterrupted(
                f"Interrupted after {state.rows:,} rows.", "The same command goes on where this one ended."
            ) from None
    files.state.unlink()
    if not state.rejected:
        files.rejected.unlink()
    return state


def _send_in_order(
    chunks: Iterator[Chunk], sender: ChunkSender, client: CollectionClient, options: ImportOptions
) -> Iterator[tuple[Chunk, "Future[list[RejectedRow]]"]]:
    """Send chunks at the same time, a bounded number of them, and yield them in the order of the file."""
    pending: deque[tuple[Chunk, Future[list[RejectedRow]]]] = deque()
    with ThreadPoolExecutor(options.concurrency) as workers:
        try:
            for chunk in chunks:
                pending.append((chunk, workers.submit(sender.send, chunk)))
                while pending and (len(pending) > 2 * options.concurrency or pending[0][1].done()):
                    pending[0][1].result()
                    yield pending.popleft()
            while pending:
                pending[0][1].result()
                yield pending.popleft()
        except BaseException:
            client.stop()
            workers.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _open_rejected(path: Path, size_bytes: int) -> Iterator[IO[bytes]]:
    """The file of the rejected rows, cut to what the saved position knows of. Raises UsageError."""
    try:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(size_bytes)
            file.seek(size_bytes)
            yield file
    except PermissionError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "Put the data into another folder.") from None


def create_builder(file: SourceFile, contract: CollectionContract, options: ImportOptions) -> ItemBuilder:
    """How rows of the file become items. Raises UsageError when a header does not belong to the collection."""
    if file.format == "schema":
        raise UsageError(
            f"{file.path} is neither CSV nor JSON Lines nor a JSON list.", "Write one JSON object on each line."
        )
    names: dict[str, str] = {}
    if file.is_text:
        header = file.read_header()
        mapped = map_field_names(header)
        names = {source: source if source in contract.rules else mapped[source] for source in header}
        unknown = [source for source, name in names.items() if name not in contract.rules]
        if unknown:
            raise UsageError(f"{options.collection} has no field for {_list_names(unknown)}.", "Remove the columns.")
        required = [name for name, rule in contract.rules.items() if rule.required and name not in names.values()]
        if required:
            raise UsageError(f"{file.path} has no column for {_list_names(required)}.", "Add what is required.")
    return ItemBuilder(contract.rules, names, file.is_text, contract.key, options.reading.assume_utc)


def _list_names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(map(repr, names[:_SHOWN_NAMES])) + more
