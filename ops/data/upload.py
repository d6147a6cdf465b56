"""Send the rows of a file to a collection: many lines in a request, until the service has decided on each line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ops.data.collection import MAX_ATTEMPTS, CollectionClient
from ops.data.items import ItemBuilder, RowError, encode_item
from ops.data.source_file import Row, SourceFile
from ops.errors import OperationError, UsageError
from ops.service import Answer

# They must not change: a chunk's first row and the place of a line in it lead to the id of the item.
CHUNK_LINES = 1_000
CHUNK_BYTES = 2 * 1024 * 1024
# When so many lines are refused one by one with 403 and none is accepted, it is not the lines.
MAX_FORBIDDEN_LINES = 20
_FIREWALL = "firewall"  # in the detail of its answers
FIREWALL_HINT = (
    "Write free_text=True into the class and deploy it, or name the collection in the parameter FreeTextCollections "
    "(docs/how-to/configure-the-edge.md)."
)


@dataclass(frozen=True)
class RejectedRow:
    """A row that the collection does not take, with its values as the file has them."""

    row: Row
    reasons: list[dict[str, str]]

    @property
    def was_forbidden(self) -> bool:
        return any(reason.get("detail", "").startswith("403") for reason in self.reasons)

    @property
    def was_refused_by_firewall(self) -> bool:
        return any(_FIREWALL in reason.get("detail", "") for reason in self.reasons)

    def encode(self) -> bytes:
        document = {"row": self.row.number, "line": self.row.line, "reasons": self.reasons, "values": self.row.values}
        return json.dumps(document, ensure_ascii=False, default=str).encode(errors="backslashreplace") + b"\n"


@dataclass
class Chunk:
    """Rows for one request. `lines` has an empty line for a row that cannot become an item."""

    rows: list[Row] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def first_row(self) -> int:
        return self.rows[0].number

    @property
    def last_row(self) -> int:
        return self.rows[-1].number


def iterate_chunks(file: SourceFile, builder: ItemBuilder, rows_done: int = 0) -> Iterator[Chunk]:
    """The chunks of a file, without its first rows. They are the same however often they are made."""
    chunk = Chunk()
    for row in file.iterate_rows():
        if row.number <= rows_done:
            continue
        line, rejected = b"", None
        try:
            line = encode_item(builder.build(row))
        except UnicodeEncodeError:
            rejected = RejectedRow(row, [{"detail": "A text of the row is not valid Unicode"}])
        except RowError as error:
            rejected = RejectedRow(row, [_build_reason(name, reason) for name, reason in error.faults])
        if chunk.rows and (len(chunk.rows) == CHUNK_LINES or chunk.size_bytes + len(line) > CHUNK_BYTES):
            yield chunk
            chunk = Chunk()
        chunk.rows.append(row)
        chunk.lines.append(line)
        chunk.size_bytes += len(line) + 1
        if rejected:
            chunk.rejected.append(rejected)
    if chunk.rows:
        yield chunk


def _build_reason(name: str, detail: str) -> dict[str, str]:
    return {"field": name, "detail": detail} if name else {"detail": detail}


class ChunkSender:
    """Sends chunks. `run_id` names the file: the same file leads to the same ids, however often it is sent."""

    def __init__(self, client: CollectionClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    def send(self, chunk: Chunk) -> list[RejectedRow]:
        """Send a chunk until each line is accepted or rejected; returns the rejected rows, in order.

        Raises OperationError or UsageError when the service takes no line.
        """
        rejected = list(chunk.rejected)
        accepted = self._send_lines(chunk, [bool(line) for line in chunk.lines], rejected)
        refused = [entry for entry in rejected if entry.was_forbidden]
        if len(refused) > MAX_FORBIDDEN_LINES and not accepted:
            raise _build_forbidden_error(any(entry.was_refused_by_firewall for entry in refused))
        return sorted(rejected, key=lambda entry: entry.row.number)

    def _send_lines(self, chunk: Chunk, is_open: list[bool], rejected: list[RejectedRow]) -> int:
        """Send the open lines of a chunk. The others are empty, so that each line stays in its place."""
        accepted = 0
        for attempt in range(MAX_ATTEMPTS):
            if not any(is_open):
                return accepted
            body = b"\n".join(line if wanted else b"" for line, wanted in zip(chunk.lines, is_open, strict=True))
            headers = {
                "content-type": "application/x-ndjson",
                "idempotency-key": f"{self._run_id}-{chunk.first_row}",
            }
            answer = self._client.request("POST", self._client.path, body, headers)
            results = _read_results(answer)
            if results is None:
                return accepted + self._divide(chunk, is_open, rejected, answer)
            for result in results:
                at = result["line"] - 1
                if result["status"] == 202:
                    accepted, is_open[at] = accepted + 1, False
                elif result["status"] not in {429, 503}:
                    rejected.append(RejectedRow(chunk.rows[at], result.get("errors") or [{"detail": result["detail"]}]))
                    is_open[at] = False
            if any(is_open):
                self._client.wait(attempt, answer)
        raise OperationError("The stream of the service does not take some lines.", "Run the same command again later.")

    def _divide(self, chunk: Chunk, is_open: list[bool], rejected: list[RejectedRow], answer: Answer) -> int:
        """Send the halves of lines that were refused as a whole, until the line is alone that is the reason."""
        if answer.status not in {400, 403, 413} or _is_about_rights(answer):
            hint = "Check the rights of the token, and the collection."
            raise UsageError(f"POST {self._client.path} answers {answer.describe()}.", hint)
        places = [at for at, wanted in enumerate(is_open) if wanted]
        if len(places) == 1:
            rejected.append(RejectedRow(chunk.rows[places[0]], [{"detail": answer.describe()}]))
            return 0
        accepted = 0
        for half in (places[: len(places) // 2], places[len(places) // 2 :]):
            if not accepted and len(rejected) > 2 * MAX_FORBIDDEN_LINES and answer.status == 403:
                raise _build_forbidden_error(_FIREWALL in answer.describe())
            accepted += self._send_lines(chunk, [at in set(half) for at in range(len(is_open))], rejected)
        return accepted


def _build_forbidden_error(by_firewall: bool) -> OperationError:
    if by_firewall:
        return OperationError("The firewall takes a text of every line for an attack.", FIREWALL_HINT)
    return OperationError("The service refuses every line with 403.", "Check the rights of the token.")


def _is_about_rights(answer: Answer) -> bool:
    document = answer.document
    detail = document.get("detail", "") if isinstance(document, dict) else ""
    return answer.status == 403 and str(detail).startswith("Only ")


def _read_results(answer: Answer) -> list[dict[str, Any]] | None:
    """The results of the lines, or None when the request was refused as a whole."""
    document = answer.document
    if answer.status in {202, 207, 422} and isinstance(document, dict) and isinstance(document.get("lines"), list):
        return list(document["lines"])
    return None
